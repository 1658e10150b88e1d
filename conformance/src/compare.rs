//! Outputs against the model, bit for bit: what the model writes must be there, and nothing else may have changed.

use std::collections::BTreeMap;

use gridproof_launch::{Buffer, ByteRange, Contents, Fill, Launch};
use gridproof_simulator::memory::Image;

/// What the model says about one output buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The buffer.
    pub name: &'static str,
    /// Byte offset of each stretch that is written, and its bytes. Everything else stays as it was.
    pub written: BTreeMap<u64, Vec<u8>>,
    /// Bytes that may be anything.
    pub unspecified: Vec<ByteRange>,
}

impl Expected {
    /// A buffer whose every byte is written.
    pub fn whole(name: &'static str, bytes: Vec<u8>) -> Self {
        Self { name, written: BTreeMap::from([(0, bytes)]), unspecified: Vec::new() }
    }

    /// The bytes from the start on, where the buffer is written as a whole.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.written.get(&0).map(Vec::as_slice)
    }
}

/// The first wrong element of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Position of the buffer in the launch.
    pub buffer: usize,
    /// Its name.
    pub name: String,
    /// The first byte that is wrong.
    pub byte: u64,
    /// Its element.
    pub element: u64,
    /// Bytes of an element.
    pub bytes: u32,
    /// The element's bits; `None` where nobody wrote it.
    pub computed: Option<u64>,
    /// What they should be; `None` where nobody should write it.
    pub expected: Option<u64>,
    /// Bytes of the buffer that are wrong.
    pub differing_bytes: u64,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, element, .. } = self;
        let digits = usize::try_from(self.bytes).unwrap_or(4) * 2;
        let bits = |bits: Option<u64>| bits.map_or("unwritten".to_owned(), |bits| format!("0x{bits:0digits$x}"));
        let (is, should) = (bits(self.computed), bits(self.expected));
        write!(f, "{name}[{element}] is {is}, the model says {should}; {} bytes differ", self.differing_bytes)
    }
}

/// Compares every output of a launch; `images` are what its buffers hold afterwards, by position, where they were kept.
///
/// # Errors
/// Outputs that do not belong together, or the first wrong element.
pub fn outputs<'a>(
    launch: &Launch,
    model: &[Expected],
    images: impl Fn(usize) -> Option<&'a Image>,
) -> Result<(), Wrong> {
    let outputs: Vec<&str> = launch.buffers.iter().filter(|buffer| buffer.output).map(|buffer| &*buffer.name).collect();
    if outputs.len() != model.len() {
        let told: Vec<&str> = model.iter().map(|expected| expected.name).collect();
        let (launch, model) = (outputs.join(", "), told.join(", "));
        return Err(Wrong::Outputs(format!("the launch has the outputs {launch}, the model {model}")));
    }
    for expected in model {
        let found = launch.buffer_named(expected.name).filter(|(_, buffer)| buffer.output);
        let (id, buffer) = found.ok_or_else(|| Wrong::Outputs(format!("no output `{}`", expected.name)))?;
        let actual = images(id.0).ok_or_else(|| Wrong::Outputs(format!("`{}` was not read back", expected.name)))?;
        compare(id.0, buffer, expected, actual)?;
    }
    Ok(())
}

/// Why outputs are not the model's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// They are not the same buffers.
    #[error("{0}")]
    Outputs(String),
    /// A wrong element.
    #[error("{0}")]
    Element(Box<Mismatch>),
}

fn compare(position: usize, buffer: &Buffer, expected: &Expected, actual: &Image) -> Result<(), Wrong> {
    let should = image(buffer, expected, actual)?;
    let (differing_bytes, Some(byte)) = actual.difference(&should) else { return Ok(()) };
    let bits = u64::from(buffer.dtype.bits()).max(8);
    let element = byte * 8 / bits;
    let value = |image: &Image| {
        let mut value = [0; 8];
        let bytes = usize::try_from(bits / 8).unwrap_or(8).min(8);
        let start = element * (bits / 8);
        image.read(start, &mut value[..bytes]);
        image.has_value(start, bytes).then_some(u64::from_le_bytes(value))
    };
    Err(Wrong::Element(Box::new(Mismatch {
        buffer: position,
        name: buffer.name.clone(),
        byte,
        element,
        bytes: u32::try_from(bits / 8).unwrap_or(8),
        computed: value(actual),
        expected: value(&should),
        differing_bytes,
    })))
}

/// What the buffer should hold: its first contents with what the model writes, and `actual` where anything will do.
fn image(buffer: &Buffer, expected: &Expected, actual: &Image) -> Result<Image, Wrong> {
    let outside = |start: u64, length: usize| {
        let end = u64::try_from(length).ok().and_then(|length| start.checked_add(length));
        end.is_none_or(|end| end > buffer.length)
    };
    if let Some((start, bytes)) = expected.written.iter().find(|(start, bytes)| outside(**start, bytes.len())) {
        let (name, length) = (&buffer.name, buffer.length);
        let told = format!("`{name}` has {length} bytes, the model writes {} from byte {start} on", bytes.len());
        return Err(Wrong::Outputs(told));
    }
    let mut image = Image::new(buffer);
    for (start, bytes) in &expected.written {
        image.overwrite(*start, bytes);
    }
    for range in &expected.unspecified {
        let length = range.end.min(buffer.length).saturating_sub(range.start);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        actual.read(range.start, &mut bytes);
        image.overwrite(range.start, &bytes);
    }
    Ok(image)
}

/// The launch as a device sees it: bytes without a value hold a pattern, and still do where nobody wrote.
pub fn poisoned(launch: &Launch) -> Launch {
    let mut launch = launch.clone();
    for buffer in &mut launch.buffers {
        if let Contents::Virtual { fill: fill @ Fill::Uninitialised, .. } = &mut buffer.contents {
            *fill = Fill::Byte(gridproof_gpu::POISON);
        }
    }
    launch
}

#[cfg(test)]
mod tests {
    use gridproof_launch::{DType, Fill};

    use super::*;

    fn launch(fill: Fill) -> Launch {
        let buffer = Buffer::filled("x", DType::F16, [4], fill).unwrap().as_output();
        Launch { buffers: vec![buffer], ..Launch::default() }
    }

    fn said(fill: Fill, expected: &Expected, actual: &[u8]) -> String {
        let launch = launch(fill);
        let mut image = Image::new(&launch.buffers[0]);
        image.overwrite(0, actual);
        outputs(&launch, std::slice::from_ref(expected), |_| Some(&image))
            .map_or_else(|wrong| wrong.to_string(), |()| String::new())
    }

    #[test]
    fn the_first_wrong_element_is_named_and_zeros_have_a_sign() {
        let zeros = Expected::whole("x", vec![0; 8]);
        assert_eq!(said(Fill::Byte(0), &zeros, &[0; 8]), "");
        assert_eq!(
            said(Fill::Byte(0), &zeros, &[0, 0, 0, 0x80, 1, 0, 0, 0]),
            "x[1] is 0x8000, the model says 0x0000; 2 bytes differ"
        );
        assert!(
            said(Fill::Byte(0), &Expected::whole("x", vec![0; 9]), &[]).contains("has 8 bytes, the model writes 9")
        );
        assert!(said(Fill::Byte(0), &Expected::whole("y", vec![0; 8]), &[]).contains("no output `y`"));
    }

    #[test]
    fn what_nobody_wrote_and_what_nobody_should_write_is_wrong() {
        let part = Expected { written: BTreeMap::from([(2, vec![7, 7])]), ..Expected::whole("x", vec![]) };
        let poisoned = Fill::Uninitialised;
        assert_eq!(
            said(poisoned, &Expected::whole("x", vec![0; 8]), &[0; 6]),
            "x[3] is unwritten, the model says 0x0000; 2 bytes differ"
        );
        assert!(said(poisoned, &part, &[0, 0, 7, 7]).starts_with("x[0] is 0x0000, the model says unwritten"));
        assert!(said(Fill::Byte(3), &part, &[3, 3, 7, 7, 3, 3]).is_empty());
        assert!(said(Fill::Byte(3), &part, &[3, 3, 7, 7, 3, 4]).starts_with("x[2] is 0x0403"));
    }

    #[test]
    fn what_is_unspecified_may_be_anything() {
        let unspecified = vec![ByteRange::new(2, 4)];
        let part = Expected { unspecified, ..Expected::whole("x", vec![]) };
        assert_eq!(said(Fill::Byte(0), &part, &[0, 0, 9, 9]), "");
        assert!(said(Fill::Byte(0), &part, &[0, 0, 9, 9, 9]).starts_with("x[2] is 0x0009"));
        // The rest of a stretch still counts.
        let whole = Expected { unspecified: vec![ByteRange::new(0, 2)], ..Expected::whole("x", vec![5; 8]) };
        assert_eq!(said(Fill::Byte(0), &whole, &[1, 2, 5, 5, 5, 5, 5, 5]), "");
        assert!(said(Fill::Byte(0), &whole, &[1, 2, 5, 5, 5, 5, 5, 6]).starts_with("x[3] is 0x0605"));
    }
}
