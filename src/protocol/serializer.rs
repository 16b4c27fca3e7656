//! The serializers that kombu knows, by their names and content types.
//!
//! Pickle is known so that it can be told apart; it is never written, and never executed.

/// How the body of a task is written.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(serialize_all = "lowercase")]
pub enum Serializer {
    /// `application/json`, what every worker accepts unless told otherwise.
    #[default]
    Json,
    /// `application/x-yaml`; the worker needs PyYAML.
    Yaml,
    /// `application/x-msgpack`; the worker needs msgpack.
    Msgpack,
}

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
    #[strum(to_string = "bzip2", serialize = "bz2")]
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

impl Serializer {
    /// The content type of such a body.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/x-yaml",
            Self::Msgpack => "application/x-msgpack",
        }
    }

    /// The content encoding of such a body.
    pub fn content_encoding(self) -> &'static str {
        match self {
            Self::Json | Self::Yaml => "utf-8",
            Self::Msgpack => "binary",
        }
    }
}

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
}
