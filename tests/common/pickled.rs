//! Pickles of images.

/// As Python 2 pickled the published files: the pixels of image i are `pixels[i]`.
pub(crate) fn pickled(key: &str, labels: &[u8], pixels: &[u8]) -> Vec<u8> {
    let text = |text: &str| [b"U", &[text.len() as u8][..], text.as_bytes()].concat();
    let data: Vec<u8> = pixels.iter().flat_map(|pixel| [*pixel; 3072]).collect();
    let numbers: Vec<u8> = labels.iter().flat_map(|label| [b'K', *label]).collect();
    [
        &b"\x80\x02}q\x01("[..],
        &text("batch_label"),
        b"q\x02",
        &text("training batch 1 of 5"),
        b"q\x03",
        &text(key),
        b"q\x04]q\x05(",
        &numbers,
        b"e",
        &text("data"),
        b"q\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09(K\x01M",
        &(pixels.len() as u16).to_le_bytes(),
        b"M\x00\x0c\x86cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
        &(data.len() as u32).to_le_bytes(),
        &data,
        b"tbU\x09filenamesq\x0c]q\x0d(",
        &text("leptodactylus_pentadactylus_s_000004.png"),
        b"q\x0e",
        &text("camion_s_000148.png"),
        b"q\x0feu.",
    ]
    .concat()
}
