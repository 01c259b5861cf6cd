//! Pictures in memory and as PNG files.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Cursor};
use std::path::Path;

/// Rows of RGB from the top left.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: Vec<u8>,
}

impl Picture {
    /// Of an 8-bit RGB PNG.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Picture, Box<dyn Error>> {
        let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info()?;
        let (width, height) = reader.info().size();
        if reader.output_color_type() != (png::ColorType::Rgb, png::BitDepth::Eight) {
            return Err("the picture is not 8-bit RGB".into());
        }
        let mut rgb = vec![0; width as usize * height as usize * 3];
        reader.next_frame(&mut rgb)?;
        Ok(Picture { width, height, rgb })
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let file = File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        encoder.write_header()?.write_image_data(&self.rgb)?;
        Ok(())
    }

    /// Four bytes per pixel, as in textures.
    pub(crate) fn rgba(&self) -> Vec<u8> {
        self.rgb.chunks(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect()
    }

    /// Pixel coordinates: x from −1 to 1, y on the same scale.
    pub(crate) fn coordinates(&self) -> Vec<f32> {
        let (width, height) = (self.width as f32, self.height as f32);
        let pixels = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x as f32, y as f32)));
        pixels
            .flat_map(|(x, y)| [(2.0 * (x + 0.5) - width) / width, (2.0 * (y + 0.5) - height) / width])
            .collect()
    }

    /// Peak signal-to-noise ratio to a picture of the same size, in dB.
    pub(crate) fn psnr(&self, other: &Picture) -> f64 {
        let squares = self.rgb.iter().zip(&other.rgb).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
        10.0 * (255.0_f64.powi(2) * self.rgb.len() as f64 / squares.sum::<f64>()).log10()
    }

    /// Pictures of equal size side by side, with white gaps.
    pub(crate) fn strip(pictures: &[Picture], gap: u32) -> Picture {
        let height = pictures.iter().map(|picture| picture.height).max().unwrap_or(1);
        let width = pictures.iter().map(|picture| picture.width + gap).sum::<u32>().saturating_sub(gap);
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height as usize {
            for (index, picture) in pictures.iter().enumerate() {
                let between = if index > 0 { 3 * gap as usize } else { 0 };
                rgb.resize(rgb.len() + between, 255);
                let row = 3 * picture.width as usize;
                rgb.extend(&picture.rgb[y * row..(y + 1) * row]);
            }
        }
        Picture { width, height, rgb }
    }
}
