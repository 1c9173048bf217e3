//! How large a picture says it is, told from its frame without drawing it. Whoever opens it would have to: a few bytes can ask for
//! gigabytes.

use crc::{CRC_32_ISO_HDLC, Crc};

/// The most pixels of a side.
const MAX_SIDE: u32 = 20_000;
/// The most pixels of a picture: more than cameras of phones take.
const MAX_PIXELS: u64 = 250_000_000;
/// What a PNG begins with.
const PNG_BYTES: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The checksum of PNG.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// In pixels.
    width: u32,
    /// In pixels.
    height: u32,
}

impl Size {
    /// Whether whoever opens such a picture can.
    pub(super) fn fits(self) -> bool {
        let pixels = u64::from(self.width).saturating_mul(u64::from(self.height));
        (1..=MAX_SIDE).contains(&self.width) && (1..=MAX_SIDE).contains(&self.height) && pixels <= MAX_PIXELS
    }
}

/// The size of a PNG that is whole: chunk behind chunk, each with its checksum, from the first to the last, and nothing behind it.
pub(super) fn png(bytes: &[u8]) -> Option<Size> {
    let mut rest = bytes.strip_prefix(PNG_BYTES)?;
    let (mut size, mut has_pixels) = (None, false);
    loop {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (chunk, behind) = behind.split_at_checked(length.checked_add(4)?)?;
        let (sum, behind) = behind.split_first_chunk::<4>()?;
        (CRC.checksum(chunk) == u32::from_be_bytes(*sum)).then_some(())?;
        let (kind, data) = chunk.split_first_chunk::<4>()?;
        match (kind, size) {
            (b"IHDR", None) => {
                let (width, more) = data.split_first_chunk::<4>()?;
                let (height, more) = more.split_first_chunk::<4>()?;
                (more.len() == 5).then_some(())?;
                size = Some(Size { width: u32::from_be_bytes(*width), height: u32::from_be_bytes(*height) });
            }
            // Nothing stands before the head, and there is one.
            (b"IHDR", Some(_)) | (_, None) => return None,
            (b"IEND", Some(_)) => return size.filter(|_| has_pixels && data.is_empty() && behind.is_empty()),
            (b"IDAT", Some(_)) => has_pixels = true,
            _ => {}
        }
        rest = behind;
    }
}

/// The size of a JPEG, as the head of its frame says it.
pub(super) fn jpeg(bytes: &[u8]) -> Option<Size> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let (0xff, behind) = rest.split_first()? else { return None };
        let (marker, behind) = behind.split_first()?;
        match marker {
            // A byte that fills up; markers without a length.
            0xff => rest = rest.get(1..)?,
            0x01 | 0xd0..=0xd7 => rest = behind,
            // The pixels begin, or the picture ends, and no size was said.
            0xd8..=0xda => return None,
            _ => {
                let (length, _) = behind.split_first_chunk::<2>()?;
                let (segment, next) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                // Heads of frames, whatever the frame is coded by; among their numbers are tables of other things.
                if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
                    // The length, how many bits a sample has, height, width.
                    let [_, _, _, high, low, left, right, ..] = *segment else { return None };
                    let of = |bytes| u32::from(u16::from_be_bytes(bytes));
                    return Some(Size { width: of([left, right]), height: of([high, low]) });
                }
                rest = next;
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A chunk of a PNG.
    fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
        let named = [kind.as_slice(), data].concat();
        [u32::try_from(data.len()).unwrap().to_be_bytes().as_slice(), &named, &CRC.checksum(&named).to_be_bytes()].concat()
    }

    fn head(width: u32, height: u32) -> Vec<u8> {
        chunk(*b"IHDR", &[width.to_be_bytes().as_slice(), &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat())
    }

    /// A PNG that says that it is so large.
    pub(in super::super) fn png_of(width: u32, height: u32) -> Vec<u8> {
        [PNG_BYTES, &head(width, height), &chunk(*b"IDAT", b"\x78\x9c\x03\0\0\0\0\x01"), &chunk(*b"IEND", b"")].concat()
    }

    /// A JPEG that says that it is so large.
    pub(in super::super) fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
        let application = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
        let frame = [b"\xff\xff\xc2\0\x0b\x08".as_slice(), &height, &width, &[1, 1, 0x11, 0]].concat();
        [b"\xff\xd8", application.as_slice(), b"\xff\xc4\0\x04\0\0", &frame, b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\x7f\xff\xd9"].concat()
    }

    #[test]
    fn the_checksum_is_that_of_any_png() {
        // The last chunk of every PNG there is.
        assert_eq!(chunk(*b"IEND", b""), b"\0\0\0\0IEND\xaeB`\x82");
    }

    #[test]
    fn a_picture_is_as_large_as_it_says() {
        assert_eq!(png(&png_of(640, 480)), Some(Size { width: 640, height: 480 }));
        assert_eq!(jpeg(&jpeg_of(640, 480)), Some(Size { width: 640, height: 480 }));
        for (width, height, fits) in [
            (1, 1, true),
            (20_000, 12_500, true),
            (12_500, 20_001, false),
            // 250,005,000 pixels.
            (16_667, 15_000, false),
            (0, 10, false),
            (10, 0, false),
            (u32::MAX, u32::MAX, false),
        ] {
            assert_eq!(Size { width, height }.fits(), fits, "{width} x {height}");
        }
    }

    #[test]
    fn what_is_not_whole_or_has_another_frame_has_no_size() {
        let good = png_of(640, 480);
        for at in 0..good.len() {
            assert_eq!(png(&good[..at]), None, "cut at {at}");
            let mut changed = good.clone();
            changed[at] ^= 0x20;
            assert_eq!(png(&changed), None, "byte {at} is another");
        }
        let (head, pixels, end) = (head(1, 1), chunk(*b"IDAT", b"x"), chunk(*b"IEND", b""));
        for (what, chunks) in [
            ("no pixels", vec![&head, &end]),
            ("no head", vec![&pixels, &end]),
            ("two heads", vec![&head, &head, &pixels, &end]),
            ("something behind its end", vec![&head, &pixels, &end, &pixels]),
            ("no end", vec![&head, &pixels]),
        ] {
            let bytes = [PNG_BYTES, &chunks.into_iter().flatten().copied().collect::<Vec<u8>>()].concat();
            assert_eq!(png(&bytes), None, "{what}");
        }
        let good = jpeg_of(640, 480);
        let frame = good.windows(2).position(|pair| pair == [0xff, 0xc2]).unwrap();
        for at in 0..frame + 10 {
            assert_eq!(jpeg(&good[..at]), None, "cut at {at}");
        }
        for none in
            [&b"\xff\xd8\xff\xd9"[..], b"\xff\xd8\xff\xe0\0\0", b"\xff\xd8\0\0", b"\xff\xd8\xff\xda\0\x08", b"\xff\xd8\xff\xc0\0\x02"]
        {
            assert_eq!(jpeg(none), None, "{none:?}");
        }
    }
}
