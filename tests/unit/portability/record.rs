//! What became of each piece of work on one stack, a line each as it ends: a run that was cut off goes on where it was, and
//! work is done again only if it, or the stack, has changed. `xtask` records what programs say of shaders in the same way.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::{Result, Write};
use std::path::Path;

/// A name for contents: another for others.
pub(crate) fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    format!("{:016x}", hasher.finish())
}

/// How a piece of work ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// With this error, which is small enough.
    Passed(f64),
    Failed(String),
    /// It cannot run here, for want of this.
    Lacks(String),
}

/// The stack behind `#`, then a line for each verdict: key, error or `-` where there is none, what is wrong. The last of a
/// key counts.
#[derive(Debug)]
pub(crate) struct Record {
    file: File,
    passed: BTreeSet<String>,
}

impl Record {
    /// Opens a record with what passed on the very same stack; all else is dropped, and done again.
    pub(crate) fn open(path: &Path, stack: &str) -> Result<Record> {
        let head = format!("# {stack}");
        let known = fs::read_to_string(path).unwrap_or_default();
        let mut lines = known.lines();
        let kept = if lines.next() == Some(&head) { lines.collect() } else { Vec::new() };
        let mut text = head + "\n";
        let mut passed = BTreeSet::new();
        for line in kept {
            if let [key, error, ""] = line.split('\t').collect::<Vec<_>>()[..]
                && error.parse::<f64>().is_ok()
            {
                passed.insert(key.to_owned());
                text += &format!("{line}\n");
            }
        }
        let mut file = File::create(path)?;
        file.write_all(text.as_bytes())?;
        Ok(Record { file, passed })
    }

    pub(crate) fn passed(&self, key: &str) -> bool {
        self.passed.contains(key)
    }

    pub(crate) fn add(&mut self, key: &str, verdict: &Verdict) -> Result<()> {
        let plain = |text: &str| text.replace(['\n', '\t'], " ");
        let line = match verdict {
            Verdict::Passed(error) => format!("{key}\t{error:e}\t\n"),
            Verdict::Failed(fault) => format!("{key}\tNaN\t{}\n", plain(fault)),
            Verdict::Lacks(what) => format!("{key}\t-\t{}\n", plain(what)),
        };
        // At once, so that a line is whole or missing.
        self.file.write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        key([text.as_bytes()])
    }

    #[test]
    fn what_passed_is_kept_and_all_else_is_done_again() {
        let path = std::env::temp_dir().join(format!("hesscale-record-{}", std::process::id()));
        let (good, bad, lacking) = (of("a += 1.0;"), of("b"), of("c"));
        let mut record = Record::open(&path, "stack 1").unwrap();
        record.add(&bad, &Verdict::Failed("wrong\nhere".into())).unwrap();
        record.add(&good, &Verdict::Passed(1e-7)).unwrap();
        record.add(&lacking, &Verdict::Lacks("shader-f16".into())).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            format!("# stack 1\n{bad}\tNaN\twrong here\n{good}\t1e-7\t\n{lacking}\t-\tshader-f16\n")
        );
        // Cut off in the middle of a line.
        fs::write(&path, text + &of("d")).unwrap();
        let record = Record::open(&path, "stack 1").unwrap();
        assert_eq!(
            [&good, &bad, &lacking, &of("d")].map(|key| record.passed(key)),
            [true, false, false, false]
        );
        assert!(!record.passed(&of("a += 2.0;")), "another text is other work");
        assert!(!Record::open(&path, "stack 2").unwrap().passed(&good), "another stack knows nothing");
        assert!(!Record::open(&path, "stack 1").unwrap().passed(&good));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn keys_tell_where_a_part_ends() {
        assert_ne!(key([b"ab".as_slice(), b"c"]), key([b"a".as_slice(), b"bc"]));
    }
}
