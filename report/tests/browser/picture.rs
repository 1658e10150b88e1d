//! The picture that a browser took: is anything on it?

use std::collections::BTreeMap;
use std::io::Cursor;

use crate::chromium::{Scheme, View};

/// A decoded screenshot.
pub struct Picture {
    size: (u32, u32),
    /// How many pixels have each colour.
    colours: BTreeMap<[u8; 3], usize>,
}

impl Picture {
    /// Reads a PNG with eight bits a channel.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().map_err(|error| error.to_string())?;
        let mut pixels = vec![0; reader.output_buffer_size().ok_or("the picture is too large")?];
        let frame = reader.next_frame(&mut pixels).map_err(|error| error.to_string())?;
        if frame.bit_depth != png::BitDepth::Eight || frame.color_type.samples() < 3 {
            return Err(format!("a picture in {:?} of {:?}", frame.color_type, frame.bit_depth));
        }
        let mut colours = BTreeMap::new();
        for pixel in pixels[..frame.buffer_size()].chunks_exact(frame.color_type.samples()) {
            *colours.entry([pixel[0], pixel[1], pixel[2]]).or_default() += 1;
        }
        Ok(Self { size: (frame.width, frame.height), colours })
    }

    /// Whether the picture has the view's size and background, enough colours for text, and, where the page has an
    /// arrow, the colours of the boxes that it joins and its own.
    pub fn check(&self, view: View, arrow: bool) -> Result<(), String> {
        if self.size != (view.width, view.height) {
            return Err(format!("the picture is {:?}", self.size));
        }
        if self.colours.len() < 40 {
            return Err(format!("the picture has {} colours: it is blank", self.colours.len()));
        }
        // From page.css: paper, first, second, arrow.
        let [paper, first, second, line] = match view.scheme {
            Scheme::Light => [[255, 255, 255], [0xb3, 0x47, 0x00], [0x0b, 0x5c, 0xad], [0xa3, 0x12, 0x2c]],
            Scheme::Dark => [[0x14, 0x17, 0x1b], [0xff, 0xa0, 0x5c], [0x74, 0xb4, 0xff], [0xff, 0x70, 0x88]],
        };
        let pixels: usize = self.colours.values().sum();
        let at_least = [
            (paper, pixels / 4),
            (first, if arrow { 60 } else { 0 }),
            (second, if arrow { 60 } else { 0 }),
            (line, if arrow { 20 } else { 0 }),
        ];
        for (colour, least) in at_least {
            let found = self.colours.get(&colour).copied().unwrap_or(0);
            if found < least {
                return Err(format!("{found} pixels have colour {colour:02x?}, expected at least {least}"));
            }
        }
        Ok(())
    }
}
