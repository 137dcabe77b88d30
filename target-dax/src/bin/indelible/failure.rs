//! How the command fails: an exit code and one line that says what to do.

use std::fmt::Display;
use std::io;
use std::path::Path;

use indelible_dax::host::StoreError;
use indelible_dax::indelible::{Error, GeometryError};
use indelible_dax::{BackupError, FileError, OpenError, ShardedOpenError, SharedError};

/// The exit codes, which are part of the command's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    NotFound = 1,
    Usage = 2,
    Open = 3,
    Io = 4,
    Damage = 5,
    Full = 6,
}

#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    /// `None` where there is nothing left to say.
    pub message: Option<String>,
    /// Nobody reads the output any more.
    pub pipe_closed: bool,
}

pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub fn new(code: Code, message: impl Display) -> Self {
        Self {
            code,
            message: Some(message.to_string()),
            pipe_closed: false,
        }
    }

    pub fn usage(message: impl Display) -> Self {
        Self::new(Code::Usage, message)
    }

    /// A failure that was already told, line by line.
    pub fn told(code: Code) -> Self {
        Self {
            code,
            message: None,
            pipe_closed: false,
        }
    }

    /// Standard output.
    pub fn output(error: io::Error) -> Self {
        let closed = error.kind() == io::ErrorKind::BrokenPipe;
        Self {
            pipe_closed: closed,
            ..Self::new(Code::Io, format_args!("standard output: {error}"))
        }
    }

    /// Standard input.
    pub fn input(error: io::Error) -> Self {
        Self::new(Code::Io, format_args!("standard input: {error}"))
    }

    /// A file or folder other than the store.
    pub fn path(path: &Path, error: impl Display) -> Self {
        Self::new(Code::Io, format_args!("{}: {error}", path.display()))
    }

    /// Names what the failure is about.
    pub fn about(self, what: impl Display) -> Self {
        let message = self.message.map(|message| format!("{what}: {message}"));
        Self { message, ..self }
    }

    /// A store that does not open.
    pub fn open(store: &Path, error: OpenError) -> Self {
        let failure = match error {
            OpenError::Store(error) => {
                let failure = Self::from(error);
                match failure.code {
                    Code::Damage | Code::Full => failure,
                    _ => Self {
                        code: Code::Open,
                        ..failure
                    },
                }
            }
            other => Self::new(Code::Open, other),
        };
        failure.about(store.display())
    }

    /// A store in shards that does not open.
    pub fn shards(store: &Path, error: ShardedOpenError) -> Self {
        let failure = match error {
            ShardedOpenError::Shard(shard, error) => {
                return Self::open(store, error).inside(store, format_args!("shard {shard}"));
            }
            ShardedOpenError::Intent(_, ref cause) | ShardedOpenError::Redo(_, ref cause) => {
                let code = match cause.store() {
                    Some(cause) => Self::from(cause).code,
                    None => Code::Open,
                };
                Self::new(code, error)
            }
            error => Self::new(Code::Open, error),
        };
        failure.about(store.display())
    }

    /// Names the part of what the message begins with.
    fn inside(self, whole: &Path, part: impl Display) -> Self {
        let whole = format!("{}: ", whole.display());
        let message = self.message.map(|message| {
            let rest = message.strip_prefix(&whole).unwrap_or(&message);
            format!("{whole}{part}: {rest}")
        });
        Self { message, ..self }
    }

    /// A copy that is not made of a store; `file` is what was to be created.
    pub fn copy(store: &Path, file: &Path, error: BackupError) -> Self {
        let code = match error {
            BackupError::Original(error) => return Self::open(store, error),
            BackupError::Shards(error) => return Self::shards(store, error),
            BackupError::Shard(shard, error) => {
                let about = match *error {
                    BackupError::Original(_) | BackupError::Damaged { .. } => store,
                    _ => file,
                };
                let failure = Self::copy(store, file, *error);
                return failure.inside(about, format_args!("shard {shard}"));
            }
            BackupError::Damaged { .. } => {
                let hint = "`indelible check` lists them, --accept-damage keeps them";
                return Self::new(
                    Code::Damage,
                    format_args!("{}: {error}; {hint}", store.display()),
                );
            }
            BackupError::File(FileError::NoSpace { .. }) => Code::Full,
            BackupError::File(
                FileError::Exists | FileError::Locked | FileError::NotRegular | FileError::Empty,
            ) => Code::Open,
            _ => Code::Io,
        };
        Self::new(code, format_args!("{}: {error}", file.display()))
    }

    /// A store that is not created.
    pub fn create(store: &Path, error: OpenError) -> Self {
        let code = match &error {
            OpenError::File(FileError::NoSpace { .. }) => Code::Full,
            OpenError::Store(Error::Geometry(_)) => Code::Usage,
            OpenError::Store(_) => Code::Io,
            _ => Code::Open,
        };
        let hint = match &error {
            OpenError::Store(Error::Geometry(GeometryError::Capacity { .. })) => {
                "; give it a larger --size"
            }
            OpenError::Store(Error::Geometry(GeometryError::TooLarge { .. })) => {
                ", the most there can be; choose a smaller --size or --grows-to"
            }
            _ => "",
        };
        Self::new(code, format_args!("{}: {error}{hint}", store.display()))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<SharedError> for Failure {
    fn from(error: SharedError) -> Self {
        match &error {
            SharedError::Store(cause) => Self::from(&**cause),
            SharedError::InDoubt(cause) => Self::from(&**cause).about("the commit is in doubt"),
            error => Self::new(Code::Io, error),
        }
    }
}

/// What a store operation failed with, and what can be done about it.
impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Self {
        let (code, hint) = match error {
            Error::NotFound
            | Error::BeforeHead { .. }
            | Error::PastTail { .. }
            | Error::InvalidLog { .. } => (Code::NotFound, ""),
            Error::KeyEmpty | Error::KeyTooLong { .. } | Error::ValueTooLong { .. } => {
                (Code::Usage, "")
            }
            Error::TransactionTooLarge { .. } => {
                (Code::Usage, "; split the transaction into smaller ones")
            }
            Error::Full { .. } => (
                Code::Full,
                "; delete keys, or make it larger with `indelible grow`",
            ),
            Error::IndexFull { .. } | Error::SequenceExhausted => {
                (Code::Full, "; export to a new store")
            }
            Error::LogFull { .. } => (
                Code::Full,
                "; cut off its beginning with `indelible log trim`",
            ),
            Error::Corrupt { .. } => (
                Code::Damage,
                "; `indelible check` lists all damage, `indelible export` saves what is whole",
            ),
            Error::Doubtful { .. } => (
                Code::Damage,
                "; `indelible export --accept-damage` saves the version that is known",
            ),
            Error::LedgerLost { .. } => (
                Code::Open,
                "; the file is damaged or was truncated, so restore it from a copy",
            ),
            Error::NotAStore => (Code::Open, "; make one with `indelible create`"),
            Error::VersionUnsupported { .. } => (Code::Open, "; use a matching `indelible`"),
            Error::MediumTooSmall { .. } => (
                Code::Open,
                "; it was truncated, or not copied whole; get a whole copy",
            ),
            Error::IdMismatch { .. } | Error::GeometryMismatch | Error::Geometry(_) => {
                (Code::Open, "")
            }
            _ => (Code::Io, ""),
        };
        let code = match error {
            Error::Medium {
                cause: FileError::NoSpace { .. },
                ..
            } => Code::Full,
            _ => code,
        };
        // The medium's error says more than that the core was told of one.
        match error {
            Error::Medium { cause, .. } => Self::new(code, cause),
            error => Self::new(code, format_args!("{error}{hint}")),
        }
    }
}
