//! A small disk for the host's state.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use rand::Rng;
use rand::rngs::StdRng;

const FILLER: &str = "filler";

/// A file system of its own, where that can be had; else a folder.
pub(crate) struct Disk {
    path: PathBuf,
    is_mounted: bool,
}

// === impl Disk ===

impl Disk {
    pub(crate) fn mount(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir(path).context("failed to make a folder for the state")?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"])
            .arg(path)
            .output();
        Ok(Self {
            path: path.to_owned(),
            is_mounted: mounted.is_ok_and(|output| output.status.success()),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn can_fill(&self) -> bool {
        self.is_mounted
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        if !self.is_mounted {
            return Ok(());
        }
        let mut file = File::create(self.path.join(FILLER))?;
        loop {
            match file.write_all(&[0; 1024]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("failed to fill the disk"),
            }
        }
    }

    /// Leaves room again.
    pub(crate) fn free(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.path.join(FILLER)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).context("failed to free the disk")
            }
            _ => Ok(()),
        }
    }

    /// Cuts a state short, or changes a byte of it.
    pub(crate) fn damage(&self, random: &mut StdRng) -> anyhow::Result<()> {
        let files = fs::read_dir(&self.path)?.filter_map(Result::ok);
        let is_state = |path: &PathBuf| path.to_string_lossy().ends_with(".state.gz");
        let mut states: Vec<PathBuf> = files.map(|file| file.path()).filter(is_state).collect();
        states.sort();
        if states.is_empty() {
            return Ok(());
        }
        let state = &states[random.random_range(0..states.len())];
        let mut bytes = fs::read(state)?;
        let at = random.random_range(0..bytes.len().max(1));
        if random.random() {
            bytes.truncate(at);
        } else if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 0x55;
        }
        match fs::write(state, bytes) {
            Err(error) if error.kind() != ErrorKind::StorageFull => {
                Err(error).context("failed to damage a state")
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            _ = Command::new("umount").arg("-l").arg(&self.path).status();
        }
    }
}
