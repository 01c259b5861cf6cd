//! A second implementation of a checkpoint's checksum, from the format's description, so that tests can create modified files.

use flate2::Crc;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::BTreeMap;

pub(crate) type Entries = BTreeMap<String, String>;

/// A file with these entries and tensors, and the checksum of both.
pub(crate) fn file(mut entries: Entries, tensors: Vec<(&str, TensorView<'_>)>) -> Vec<u8> {
    entries.remove("crc32");
    let mut bytes = Vec::new();
    let count = |bytes: &mut Vec<u8>, count: usize| bytes.extend((count as u64).to_le_bytes());
    let text = |bytes: &mut Vec<u8>, text: &[u8]| {
        count(bytes, text.len());
        bytes.extend(text);
    };
    count(&mut bytes, entries.len());
    for (key, value) in &entries {
        text(&mut bytes, key.as_bytes());
        text(&mut bytes, value.as_bytes());
    }
    let sorted: BTreeMap<_, _> = tensors.iter().map(|(name, view)| (*name, view)).collect();
    count(&mut bytes, sorted.len());
    for (name, view) in sorted {
        text(&mut bytes, name.as_bytes());
        text(&mut bytes, format!("{:?} {:?}", view.dtype(), view.shape()).as_bytes());
        text(&mut bytes, view.data());
    }
    let mut crc = Crc::new();
    crc.update(&bytes);
    entries.insert("crc32".into(), format!("{:08x}", crc.sum()));
    unsigned(entries, tensors)
}

/// The same with the checksum that the entries contain.
pub(crate) fn unsigned(entries: Entries, tensors: Vec<(&str, TensorView<'_>)>) -> Vec<u8> {
    safetensors::serialize(tensors, Some(entries.into_iter().collect())).unwrap()
}

/// The entries of a file.
pub(crate) fn entries(bytes: &[u8]) -> Entries {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    header.metadata().clone().unwrap().into_iter().collect()
}
