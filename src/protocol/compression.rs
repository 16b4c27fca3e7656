//! How a body is compressed (kombu's header `compression`, or the marker that Celery 5.7 puts before a stored result): reads
//! all that kombu knows within bounds, writes what kombu 5.3 to 5.7 can read (protocol.md 11.8). No unsafe or C of ours.

use std::io::{self, Read, Write};

use bzip2::read::{BzEncoder, MultiBzDecoder};
use flate2::read::{MultiGzDecoder, ZlibDecoder, ZlibEncoder};
use lzma_rust2::{LzmaReader, XzOptions, XzReader, XzWriter};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// How the body of a task is compressed (kombu's `compression` header).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::EnumIter,
)]
#[strum(serialize_all = "lowercase")]
pub enum Compression {
    /// `application/x-gzip`, which is a zlib stream in kombu.
    #[strum(to_string = "gzip", serialize = "zlib")]
    Gzip,
    /// `application/x-bz2`.
    #[strum(to_string = "bzip2", serialize = "bz2", serialize = "bzip")]
    Bzip2,
    /// `application/x-lzma`, in the xz container.
    #[strum(to_string = "lzma", serialize = "xz")]
    Lzma,
    /// `application/zstd`; the worker needs a package for it.
    #[strum(to_string = "zstd", serialize = "zstandard")]
    Zstd,
    /// `application/x-brotli`; the worker needs a package for it.
    Brotli,
}

/// Why compressed data cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// A method that kombu does not know either.
    #[error("it is compressed as {0:?}, which is unknown")]
    Unknown(String),
    /// Cut off or damaged.
    #[error(
        "it is compressed as {method}, but {reason}; {size} bytes hold {read} readable bytes of content"
    )]
    Broken {
        /// As what it is compressed.
        method: Compression,
        /// What the decoder says.
        reason: String,
        /// Bytes given.
        size: usize,
        /// Bytes of content before the damage.
        read: usize,
    },
    /// The content is larger than we read.
    #[error(
        "it is compressed as {method} and holds more than {limit} bytes, the most that is read"
    )]
    TooLarge {
        /// As what it is compressed.
        method: Compression,
        /// The bound.
        limit: usize,
    },
}

/// Memory that a decoder may take for its window, in KiB. The highest preset of xz needs 64 MiB.
const WINDOW: u32 = 128 << 10;

/// The window of our own xz streams in bytes, that of Python's default preset.
const XZ_WINDOW: usize = 8 << 20;

const XZ_MAGIC: &[u8] = b"\xfd7zXZ\0";

impl Compression {
    /// What kombu calls it in the `compression` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Gzip => "application/x-gzip",
            Self::Bzip2 => "application/x-bz2",
            Self::Lzma => "application/x-lzma",
            Self::Zstd => "application/zstd",
            Self::Brotli => "application/x-brotli",
        }
    }

    /// The method of a content type or of one of kombu's short names.
    pub fn named(name: &str) -> Result<Self, CompressionError> {
        use strum::IntoEnumIterator;
        let typed = Self::iter().find(|method| method.content_type() == name);
        typed
            .or_else(|| name.parse().ok())
            .ok_or_else(|| CompressionError::Unknown(name.chars().take(60).collect()))
    }

    /// The content, at most `limit` bytes; never more than that is ever unpacked.
    pub fn read(self, data: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
        let mut content = Vec::new();
        let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let outcome = match self {
            // kombu writes zlib; others write what the name says.
            Self::Gzip if data.starts_with(&[0x1f, 0x8b]) => {
                fill(MultiGzDecoder::new(data), more, &mut content)
            }
            Self::Gzip => fill(ZlibDecoder::new(data), more, &mut content),
            Self::Bzip2 => fill(MultiBzDecoder::new(data), more, &mut content),
            Self::Lzma if data.starts_with(XZ_MAGIC) => fill(
                XzReader::new_mem_limit(data, true, WINDOW),
                more,
                &mut content,
            ),
            Self::Lzma => LzmaReader::new_mem_limit(data, WINDOW, None)
                .and_then(|reader| fill(reader, more, &mut content)),
            Self::Brotli => fill(brotli::Decompressor::new(data, 4096), more, &mut content),
            Self::Zstd => zstd(data, more, &mut content),
        };
        if content.len() > limit {
            return Err(CompressionError::TooLarge {
                method: self,
                limit,
            });
        }
        match outcome {
            Ok(()) => Ok(content),
            Err(error) => Err(CompressionError::Broken {
                method: self,
                reason: reason(&error),
                size: data.len(),
                read: content.len(),
            }),
        }
    }

    /// The compressed form of `content`, as every kombu from 5.3 on reads it (if its worker has the package).
    pub fn write(self, content: &[u8]) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        match self {
            Self::Gzip => {
                ZlibEncoder::new(content, flate2::Compression::default()).read_to_end(&mut data)?;
            }
            Self::Bzip2 => {
                BzEncoder::new(content, bzip2::Compression::best()).read_to_end(&mut data)?;
            }
            Self::Lzma => {
                let mut options = XzOptions::with_preset(6);
                // A window larger than the content costs memory and finds nothing.
                let window = content.len().clamp(4096, XZ_WINDOW);
                options.lzma_options.dict_size = u32::try_from(window).unwrap_or(u32::MAX);
                let mut writer = XzWriter::new(data, options)?;
                writer.write_all(content)?;
                data = writer.finish()?;
            }
            Self::Brotli => {
                // Python's defaults: quality 11, window 2^22.
                brotli::CompressorReader::new(content, 4096, 11, 22).read_to_end(&mut data)?;
            }
            Self::Zstd => {
                let frame = compress_to_vec(content, CompressionLevel::Fastest);
                data = with_size(&frame, content.len());
            }
        }
        Ok(data)
    }
}

fn fill(reader: impl Read, most: u64, content: &mut Vec<u8>) -> io::Result<()> {
    let start = content.len() as u64;
    reader
        .take(most.saturating_sub(start))
        .read_to_end(content)?;
    Ok(())
}

/// One frame after the other, as `zstd.decompress` reads them.
fn zstd(mut data: &[u8], most: u64, content: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let decoder = StreamingDecoder::new(&mut data).map_err(io::Error::other)?;
        fill(decoder, most, content)?;
        if data.is_empty() || content.len() as u64 >= most {
            return Ok(());
        }
    }
}

/// Puts the size of the content into a frame that does not tell it: kombu 5.3's `zstandard` refuses others. RFC 8878, 3.1.1.1:
/// behind the magic number stand the descriptor (its two highest bits: 3 for a size of 8 bytes), the window, the size.
fn with_size(frame: &[u8], size: usize) -> Vec<u8> {
    const TOLD: u8 = 0b1100_0000;
    const SINGLE_SEGMENT: u8 = 0b0010_0000;
    let Some((header, blocks)) = frame.split_at_checked(6) else {
        return frame.to_vec();
    };
    let mut told = header.to_vec();
    if told[4] & (TOLD | SINGLE_SEGMENT) != 0 {
        return frame.to_vec();
    }
    told[4] |= TOLD;
    told.extend((size as u64).to_le_bytes());
    told.extend(blocks);
    told
}

fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "it is cut off".to_owned();
    }
    let text: String = error.to_string().chars().take(120).collect();
    format!("it is damaged ({text})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use strum::IntoEnumIterator;

    #[rstest]
    #[case("application/x-gzip", Compression::Gzip)]
    #[case("zlib", Compression::Gzip)]
    #[case("gzip", Compression::Gzip)]
    #[case("bzip2", Compression::Bzip2)]
    #[case("xz", Compression::Lzma)]
    #[case("zstandard", Compression::Zstd)]
    #[case("application/x-brotli", Compression::Brotli)]
    fn methods_have_kombus_names(#[case] name: &str, #[case] method: Compression) {
        assert_eq!(Compression::named(name), Ok(method));
    }

    #[test]
    fn an_unknown_method_is_named() {
        let error = Compression::named("application/x-rar").unwrap_err();
        assert_eq!(
            error.to_string(),
            "it is compressed as \"application/x-rar\", which is unknown"
        );
    }

    #[rstest]
    fn a_small_message_never_unpacks_to_gigabytes(
        #[values(
            Compression::Gzip,
            Compression::Bzip2,
            Compression::Lzma,
            Compression::Zstd,
            Compression::Brotli
        )]
        method: Compression,
    ) {
        let bomb = method.write(&vec![0; 1 << 20]).unwrap();
        assert!(bomb.len() < 4096, "{} bytes", bomb.len());
        let limit = 1000;
        assert_eq!(
            method.read(&bomb, limit),
            Err(CompressionError::TooLarge { method, limit })
        );
        assert_eq!(method.read(&bomb, 1 << 20).unwrap().len(), 1 << 20);
    }

    #[rstest]
    fn what_is_cut_off_says_how_much_was_there(
        #[values(
            Compression::Gzip,
            Compression::Bzip2,
            Compression::Lzma,
            Compression::Zstd,
            Compression::Brotli
        )]
        method: Compression,
    ) {
        let content: Vec<u8> = (0..5_000_u32).flat_map(u32::to_le_bytes).collect();
        let data = method.write(&content).unwrap();
        for cut in [0, 1, 7, data.len() / 2, data.len() - 1] {
            let outcome = method
                .read(&data[..cut], 1 << 30)
                .map(|content| content.len());
            let error = outcome.unwrap_err();
            let CompressionError::Broken { size, read, .. } = error else {
                panic!("{error}");
            };
            assert!(size == cut && read <= content.len(), "{cut}: {read}");
        }
    }

    #[test]
    fn real_gzip_and_lone_lzma_are_read_too() {
        let mut gzip = Vec::new();
        let encoder =
            flate2::read::GzEncoder::new(b"hello".as_slice(), flate2::Compression::fast());
        { encoder }.read_to_end(&mut gzip).unwrap();
        assert_eq!(Compression::Gzip.read(&gzip, 99).unwrap(), b"hello");
        // Python: lzma.compress(b"hello", format=lzma.FORMAT_ALONE)
        let alone = b"]\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x004\x19I\xee\x8eh!\xff\xff\xff\xb9\xe0\x00\x00";
        assert_eq!(Compression::Lzma.read(alone, 99).unwrap(), b"hello");
    }

    #[test]
    fn a_zstd_frame_tells_the_size_of_its_content() {
        let data = Compression::Zstd.write(b"hello").unwrap();
        assert_eq!(data[4] >> 6, 3);
        assert_eq!(data[6..14], 5_u64.to_le_bytes());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_compressed_is_read_back(content in any::<Vec<u8>>(), times in 1_usize..20) {
            let content = content.repeat(times);
            for method in Compression::iter() {
                let data = method.write(&content).unwrap();
                let read = method.read(&data, 1 << 20);
                prop_assert_eq!(read.as_deref(), Ok(content.as_slice()), "{}", method);
            }
        }

        #[test]
        fn any_data_is_content_or_an_error(data in any::<Vec<u8>>(), flip in any::<usize>(), bit in 0_u8..8) {
            for method in Compression::iter() {
                let _ = method.read(&data, 1 << 16);
                let mut damaged = method.write(&data).unwrap();
                let at = flip % damaged.len();
                damaged[at] ^= 1 << bit;
                let _ = method.read(&damaged, 1 << 16);
            }
        }
    }
}
