//! `periplus plugin push | pull | save | load | sign | verify`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use periplus_oci::{
    ImageError, ImageName, Images, Interfaces, PrivateKey, PublicKey, PullPolicy, Wanted,
};
use periplus_plugin::PluginFile;

use super::store::StoreArgs;

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The component, `.wasm`.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    image: ImageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    #[command(flatten)]
    image: ImageArgs,

    /// Write the component to this file, too.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// A public key; one of those given must have signed the image. Repeatable.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// Images that the store holds.
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<ImageName>,

    /// The archive to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArchiveArgs {
    /// An archive in the OCI image layout, as `save` writes it.
    #[arg(value_name = "FILE")]
    archive: PathBuf,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    image: ImageArgs,

    /// The private key: ECDSA on P-256, PKCS #8 in PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    image: ImageArgs,

    /// A public key in PEM, such as `cosign.pub`; one of those given must have signed. Repeatable.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
}

/// An image in a registry.
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// `REGISTRY/NAME:TAG`, or with `@sha256:...`.
    #[arg(value_name = "IMAGE", value_parser = parse_image)]
    image: ImageName,

    /// Ask the registry without TLS, although it is not on this machine.
    #[arg(long)]
    plain_http: bool,

    #[command(flatten)]
    store: StoreArgs,
}

/// Pushes a component and prints the name that pins it.
pub(crate) async fn push(args: PushArgs) -> anyhow::Result<()> {
    let file = PluginFile::read(&args.file)?;
    let images = args.image.open()?;
    progress("pushing", &args.image.image)?;
    let interfaces = Interfaces {
        imports: file.imports,
        exports: file.exports,
    };
    let wanted = args.image.wanted(Vec::new());
    let pushed = images.push(&wanted, file.bytes, &interfaces).await;
    say(&args.image, &pushed.map_err(explained)?)
}

/// Pulls an image, with its signatures, into the store.
pub(crate) async fn pull(args: PullArgs) -> anyhow::Result<()> {
    let images = args.image.open()?;
    let wanted = args.image.wanted(read_keys(&args.keys)?);
    progress("pulling", &args.image.image)?;
    let obtained = images.obtain(&wanted).await.map_err(explained)?;
    if let Some(error) = obtained.stale {
        return Err(explained(error));
    }
    images
        .keep_signatures(&wanted, &obtained.manifest)
        .await
        .map_err(explained)?;
    if let Some(output) = &args.output {
        copy(&obtained.path, output)?;
    }
    say(&args.image, &obtained.manifest)
}

/// Writes images of the store to an archive.
pub(crate) fn save(args: SaveArgs) -> anyhow::Result<()> {
    let images = args.store.open().map_err(explained)?;
    images.save(&args.images, &args.output).map_err(explained)
}

/// Reads an archive into the store and prints what it holds.
pub(crate) fn load(args: LoadArchiveArgs) -> anyhow::Result<()> {
    let images = args.store.open().map_err(explained)?;
    let mut out = std::io::stdout().lock();
    for name in images.load(&args.archive).map_err(explained)? {
        writeln!(out, "{name}")?;
    }
    Ok(())
}

/// Signs what the name stands for in the registry.
pub(crate) async fn sign(args: SignArgs) -> anyhow::Result<()> {
    let key = PrivateKey::read(&args.key).map_err(explained)?;
    let images = args.image.open()?;
    let wanted = args.image.wanted(Vec::new());
    let signed = images.sign(&wanted, &key).await.map_err(explained)?;
    say(&args.image, &signed)
}

/// Checks the signatures of what the name stands for in the registry.
pub(crate) async fn verify(args: VerifyArgs) -> anyhow::Result<()> {
    let keys = read_keys(&args.keys)?;
    let images = args.image.open()?;
    let wanted = args.image.wanted(Vec::new());
    let verified = images.check_signature(&wanted, &keys).await;
    say(&args.image, &verified.map_err(explained)?)
}

// === impl ImageArgs ===

impl ImageArgs {
    fn open(&self) -> anyhow::Result<Images> {
        self.store.open().map_err(explained)
    }

    fn wanted(&self, keys: Vec<PublicKey>) -> Wanted {
        Wanted {
            image: self.image.clone(),
            pull: PullPolicy::Always,
            plain_http: self.plain_http,
            keys,
        }
    }
}

fn parse_image(text: &str) -> Result<ImageName, String> {
    text.strip_prefix("oci:").unwrap_or(text).parse()
}

fn read_keys(files: &[PathBuf]) -> anyhow::Result<Vec<PublicKey>> {
    let keys = files.iter().map(|file| PublicKey::read(file));
    keys.collect::<Result<_, _>>().map_err(explained)
}

/// As a whole or not at all.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let beside = to.with_extension("partial");
    std::fs::copy(from, &beside)
        .and_then(|_| std::fs::rename(&beside, to))
        .with_context(|| format!("failed to write `{}`", to.display()))
}

/// What is under way, for a person who waits; nothing in a pipe.
fn progress(action: &str, image: &ImageName) -> anyhow::Result<()> {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        writeln!(err, "{action} {image} ...")?;
    }
    Ok(())
}

/// The name with its digest, to be pasted as a `source`.
fn say(args: &ImageArgs, digest: &periplus_oci::Digest) -> anyhow::Result<()> {
    let (registry, name) = (args.image.registry(), args.image.repository());
    let tag = args.image.tag().map(|tag| format!(":{tag}"));
    let tag = tag.unwrap_or_default();
    writeln!(std::io::stdout(), "oci:{registry}/{name}{tag}@{digest}")?;
    Ok(())
}

/// An error with what can be done about it.
fn explained(error: ImageError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => {
            let error = anyhow::Error::new(error);
            anyhow::anyhow!("{error:#}\n  hint: {hint}")
        }
        None => error.into(),
    }
}
