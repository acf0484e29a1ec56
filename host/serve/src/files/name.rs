//! Names of files: a job may be called anything, a file may not.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use periplus_core::ContentHash;
use periplus_discovery::Shard;

/// Dots too, since `..` is no file and a leading one hides it.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// File systems take 255 bytes; shard, ending and the name while it is written need some.
const LONGEST: usize = 180;

/// The name of a job's file: the job's name with everything but ASCII letters, digits, `-` and `_`
/// percent-encoded, the shard, and the ending. Names that are too long end with a hash.
pub(super) fn file_name(job: &str, shard: Option<Shard>, ending: &str) -> String {
    let mut name = utf8_percent_encode(job, ESCAPED).to_string();
    if name.len() > LONGEST {
        name.truncate(LONGEST);
        name = format!("{name}-{}", ContentHash::of(job.as_bytes()));
    }
    match shard {
        None => format!("{name}.{ending}"),
        Some(shard) => format!("{name}.{}-of-{}.{ending}", shard.index(), shard.count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_has_a_name_of_its_own_that_a_file_can_have() {
        let shard = Shard::new(1, 3).ok();
        for (job, shard, expected) in [
            ("pods", None, "pods.json"),
            ("pods", shard, "pods.1-of-3.json"),
            ("a/b c", None, "a%2Fb%20c.json"),
            ("..", None, "%2E%2E.json"),
            ("*", None, "%2A.json"),
            ("ü%", None, "%C3%BC%25.json"),
            ("", None, ".json"),
        ] {
            assert_eq!(file_name(job, shard, "json"), expected, "{job}");
        }
        let (long, other) = ("x".repeat(300), "x".repeat(301));
        assert!(file_name(&long, shard, "yaml").len() < 240);
        assert_ne!(
            file_name(&long, None, "json"),
            file_name(&other, None, "json")
        );
    }
}
