//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::text;

const EXAMPLES: &str = "\
Examples:
  indelible create notes.idl --size 4M
  indelible put notes.idl greeting 'hello'
  indelible get notes.idl greeting
  indelible import docs.idl /usr/share/doc
  indelible list docs.idl --prefix bash/ --long
  indelible check docs.idl

A store in shards, a folder made by `create --shards` or a program, goes by the
folder's path. It has no logs, and is inspected one shard at a time.

Exit codes: 0 done, 1 not found, 2 usage, 3 cannot be opened, 4 input or output
failed, 5 damage found, 6 full.";

/// Keeps logs and key-value data safe in a file, across power cuts.
#[derive(Debug, Parser)]
#[command(name = "indelible", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// How the store is reached [default: auto, as memory where it lies in persistent memory]
    #[arg(long, global = true, value_enum, value_name = "MEDIUM")]
    pub medium: Option<Medium>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Medium {
    /// As memory where it is persistent, else by calls
    Auto,
    /// By calls
    File,
    /// As persistent memory, or not at all
    Dax,
    /// Mapped, wherever it lies
    #[cfg(windows)]
    View,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a store
    Create(Create),
    /// Put a value under a key, durably
    Put(Put),
    /// Print a key's value
    Get(Get),
    /// Delete keys
    Del(Del),
    /// List keys in bytewise order, one a line
    List(List),
    /// Run transactions from standard input
    Batch(Batch),
    /// Append to a log, read it, cut off its beginning
    Log {
        #[command(subcommand)]
        command: Log,
    },
    /// Put every file of a folder under its relative path
    Import(Import),
    /// Write every key's value to a file of its name
    Export(Export),
    /// Show space, wear, logs and index
    Stat(Stat),
    /// Verify everything and list what is damaged
    Check(Check),
    /// Show segments, the ledger and records
    Inspect(Inspect),
    /// Measure a store where it lies
    Bench(Bench),
    /// Copy a store to a new file, verified, as a whole or not at all
    Backup(Backup),
    /// Make a store of a backup
    Restore(Restore),
    /// Make a store larger
    Grow(Grow),
    /// Type commands, or read them from a script
    Shell(Shell),
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  indelible completions bash > ~/.local/share/bash-completion/completions/indelible
  indelible completions fish > ~/.config/fish/completions/indelible.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of all commands to a folder
    #[command(after_help = "\
Examples:
  indelible man | man -l -
  indelible man --dir ~/.local/share/man/man1")]
    Man {
        /// Write one page a command here
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// How keys and values are written for people.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Form {
    /// Keys and values in hexadecimal, on the command line and in what is printed
    #[arg(long, conflicts_with = "utf8")]
    pub hex: bool,
    /// Print text: what is no printable UTF-8 is escaped as in `batch`, and values end in a newline
    #[arg(long)]
    pub utf8: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible create notes.idl --size 4M
  indelible create device.img --size 512K --media nor --write-unit 4 --erase-unit 4K
  indelible create events.idl --size 64M --logs 2:4M 1:16M
  indelible create /mnt/pmem/fast.idl --size 1G --dax
  indelible create small.idl --size 4M --grows-to 1G
  indelible create busy --size 16M --shards 4

The size is taken at once, so a full disk shows now and not later.")]
pub struct Create {
    /// The file to create, or the folder with --shards; it must not exist
    pub store: PathBuf,
    /// Size in bytes, or with a binary suffix: 64K, 4M, 1G
    #[arg(long, value_parser = text::size)]
    pub size: u64,
    /// What the file holds: a plain store, or the image of a flash chip
    #[arg(long, value_enum, default_value_t = Media::File)]
    pub media: Media,
    /// Bytes that the flash programs at a time [default: 4]
    #[arg(long, value_parser = text::size_u32, value_name = "BYTES")]
    pub write_unit: Option<u32>,
    /// Bytes that the flash erases at a time [default: 4K]
    #[arg(long, value_parser = text::size_u32, value_name = "BYTES")]
    pub erase_unit: Option<u32>,
    /// Bytes of a segment, a multiple of the erase unit [default: chosen by size]
    #[arg(long, value_parser = text::size_u32, value_name = "BYTES")]
    pub segment_size: Option<u32>,
    /// Choose segments that are long enough for the store to grow to this size
    #[arg(long, value_parser = text::size, value_name = "SIZE", conflicts_with = "segment_size")]
    pub grows_to: Option<u64>,
    /// Logs: how many of which guaranteed capacity
    #[arg(long, value_parser = text::logs, value_name = "N:SIZE", num_args = 1.., value_delimiter = ',')]
    pub logs: Vec<(u32, u64)>,
    /// Make a folder of so many shards of that size each, which programs write to side by side
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["media", "write_unit", "erase_unit", "segment_size", "logs", "dax", "id"]
    )]
    pub shards: Option<usize>,
    /// Persistent memory, or not at all: as --medium dax
    #[arg(long, conflicts_with = "medium")]
    pub dax: bool,
    /// The store's id, up to 32 hexadecimal digits [default: random]
    #[arg(long, value_parser = text::id)]
    pub id: Option<u128>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Media {
    /// A plain file
    File,
    /// NOR flash: blank 0xFF, written in order
    Nor,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible put notes.idl greeting 'hello'
  indelible put notes.idl photo < photo.jpg
  indelible put notes.idl empty ''
  indelible put notes.idl --hex 00ff 0102
  indelible put notes.idl -- -key --value")]
pub struct Put {
    /// The store
    pub store: PathBuf,
    /// The key
    pub key: OsString,
    /// The value; read from standard input where left out, as it comes
    #[arg(allow_negative_numbers = true)]
    pub value: Option<OsString>,
    /// Key and value are in hexadecimal
    #[arg(long)]
    pub hex: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible get notes.idl greeting
  indelible get notes.idl photo > photo.jpg
  indelible get notes.idl --hex 00ff

The value is printed as it is, without a newline; with --hex or --utf8 one is
added.")]
pub struct Get {
    /// The store
    pub store: PathBuf,
    /// The key
    pub key: OsString,
    /// Print this element of the key's list instead, counted from 0
    #[arg(long, value_name = "INDEX")]
    pub element: Option<u64>,
    #[command(flatten)]
    pub form: Form,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible del notes.idl greeting
  indelible list notes.idl --prefix tmp/ --hex | xargs indelible del notes.idl --hex

Keys that are there are deleted in one transaction where it holds them; the
exit code is 1 where any was not.")]
pub struct Del {
    /// The store
    pub store: PathBuf,
    /// The keys
    #[arg(required = true)]
    pub keys: Vec<OsString>,
    /// Keys are in hexadecimal
    #[arg(long)]
    pub hex: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible list notes.idl
  indelible list docs.idl --prefix bash/ --long
  indelible list docs.idl --utf8

With --long each line holds the value's bytes, the elements of the key's list
and the key.")]
pub struct List {
    /// The store
    pub store: PathBuf,
    /// Only keys that begin with this
    #[arg(long, value_name = "P")]
    pub prefix: Option<OsString>,
    /// Sizes too
    #[arg(long)]
    pub long: bool,
    #[command(flatten)]
    pub form: Form,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A transaction is a group of lines that ends at an empty line or at the end of
the input. It is done wholly or not at all, and durable before the next begins.

  put KEY VALUE            create or replace a value
  del KEY                  delete a key, which must be there
  append LOG BYTES         append to a log
  trim LOG POSITION        advance a log's head to a position
  push KEY ELEMENT         append to a key's list
  set KEY INDEX ELEMENT    replace a list's element
  drop KEY COUNT           drop a list's first elements
  # ...                    a comment, where # is a line's first character

Words are separated by one space each. The last of a line takes all the rest,
spaces too, and may be empty. In keys, values, elements and logged bytes \\n, \\t,
\\r, \\0, \\s (space), \\\\ and \\xHH (a byte) are escapes; everything else stands for
itself.

Examples:
  printf 'put from alice\\nput to bob\\n\\ndel draft\\n' | indelible batch mail.idl
  indelible batch mail.idl --ack < transactions.txt")]
pub struct Batch {
    /// The store
    pub store: PathBuf,
    /// Print each transaction's last line number once it is durable
    #[arg(long)]
    pub ack: bool,
}

#[derive(Debug, Subcommand)]
pub enum Log {
    /// Append to a log and print the position of the first byte
    #[command(after_help = "\
Examples:
  indelible log append events.idl 0 'started'
  indelible log append events.idl 0 < event.bin")]
    Append {
        /// The store
        store: PathBuf,
        /// The log's number, from 0
        log: usize,
        /// What to append; read from standard input where left out
        #[arg(allow_negative_numbers = true)]
        data: Option<OsString>,
        /// Data is in hexadecimal
        #[arg(long)]
        hex: bool,
    },
    /// Print a log's bytes
    #[command(after_help = "\
Examples:
  indelible log read events.idl 0
  indelible log read events.idl 0 --from 4096 --len 100 --hex")]
    Read {
        /// The store
        store: PathBuf,
        /// The log's number, from 0
        log: usize,
        /// The position to begin at [default: the head]
        #[arg(long, value_name = "POSITION")]
        from: Option<u64>,
        /// How many bytes [default: up to the tail]
        #[arg(long, value_name = "BYTES", value_parser = text::size)]
        len: Option<u64>,
        #[command(flatten)]
        form: Form,
    },
    /// Advance a log's head, durably; what is before it is gone
    #[command(after_help = "\
Examples:
  indelible log trim events.idl 0 4096")]
    Trim {
        /// The store
        store: PathBuf,
        /// The log's number, from 0
        log: usize,
        /// The new head
        position: u64,
    },
    /// Show head, tail and capacity
    #[command(after_help = "\
Examples:
  indelible log info events.idl
  indelible log info events.idl 0")]
    Info {
        /// The store
        store: PathBuf,
        /// The log's number, from 0 [default: all]
        log: Option<usize>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible import docs.idl /usr/share/doc
  indelible import docs.idl /usr/share/doc --ack > done.txt

Symlinks, empty folders and what is neither file nor folder are counted on
standard error. Running it again puts what is missing or has changed.")]
pub struct Import {
    /// The store
    pub store: PathBuf,
    /// The folder
    pub dir: PathBuf,
    /// Print each key once it is durable
    #[arg(long)]
    pub ack: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible export docs.idl restored
  indelible export docs.idl restored --prefix bash/
  indelible export broken.idl rescued --accept-damage

Keys that are no relative path (absolute, with empty, `.` or `..` parts) and
keys that lead through another key's file are named on standard error and not
written; the rest is. No symlink is followed below the folder.")]
pub struct Export {
    /// The store
    pub store: PathBuf,
    /// The folder; it is created where it is missing
    pub dir: PathBuf,
    /// Only keys that begin with this
    #[arg(long, value_name = "P")]
    pub prefix: Option<OsString>,
    /// Also write keys of which damage may have destroyed a newer version
    #[arg(long)]
    pub accept_damage: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible backup docs.idl docs.backup
  indelible backup docs.idl /mnt/usb/docs.idl --force

A backup is a store like the original, of the same size. It is read back, opened
and checked before it gets its name; a backup that fails or is killed leaves
nothing under that name, or what was there. The store is open for reading only
meanwhile: a process that has it open for writing makes backups itself, with SNAP
in the shell or with the library. Size and CRC-32C of the copy are printed. A store
in shards is copied to a new folder, which replaces nothing.")]
pub struct Backup {
    /// The store
    pub store: PathBuf,
    /// The file to create
    pub file: PathBuf,
    /// Replace a file that exists, if no process has it open
    #[arg(long)]
    pub force: bool,
    /// Keep a copy of what is damaged in the original
    #[arg(long)]
    pub accept_damage: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible restore docs.backup docs.idl
  indelible restore docs.backup docs.idl --force

The backup is verified before anything is written, and the new store before it
replaces an old one, all at once. A store that a process has open is not replaced,
nor is one in shards. Size and CRC-32C are printed, as by `backup`.")]
pub struct Restore {
    /// The backup
    pub file: PathBuf,
    /// The store to create
    pub store: PathBuf,
    /// Replace a store that exists
    #[arg(long)]
    pub force: bool,
    /// Restore a backup that is damaged
    #[arg(long)]
    pub accept_damage: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible grow notes.idl 8M
  indelible grow notes.idl 64M --medium file

The file is made longer first, and what is added taken at once; where there is no
room for it, everything stays as it is. Nothing is copied, and a power cut leaves
the store as it was or grown. It grows by whole segments: `indelible stat` shows
how far. The logs keep their capacity. Of a store in shards each shard that is
smaller grows to the size, one after the other; where it fails, run it again.")]
pub struct Grow {
    /// The store
    pub store: PathBuf,
    /// Its new size in bytes, or with a binary suffix: 64K, 4M, 1G
    #[arg(value_parser = text::size)]
    pub size: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Commands, in upper or lower case:

  PUT KEY VALUE    create or replace a value
  GET KEY          print a value, escaped as with `get --utf8`
  DEL KEY          delete a key, which must be there
  SIZE             print how many keys there are, and the space
  SNAP FILE        commit, then copy the store to a new file, as `backup` does
  FLUSH            commit what SETBATCH holds back
  SETBATCH N       commit after each N changes, in one transaction [at first: 1]
  BENCH N          measure N puts and gets of keys that are deleted after
  HELP             print this list
  EXIT             commit and leave; so does Ctrl-D, and the end of a script

A value is the rest of the line. Keys with spaces, and values that begin or end
with one, are quoted: in \"...\" the escapes of `batch` and \\\" are known. `OK` says
that a change is durable; `OK (2 of 10, not durable)` that it will be once the
batch is full, or with FLUSH, SNAP, BENCH or EXIT.

Where standard input is no terminal there is no prompt, lines that begin with #
are comments, and the exit code is that of the first command that failed. The
others are done all the same.

Examples:
  indelible shell notes.idl
  printf 'put greeting hello\\nget greeting\\n' | indelible shell notes.idl")]
pub struct Shell {
    /// The store
    pub store: PathBuf,
    /// Where lines are remembered; those that begin with a space are not [default: indelible/history in the user's state folder]
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Remember nothing
    #[arg(long, conflicts_with = "history")]
    pub no_history: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible stat docs.idl
  indelible stat docs.idl --json")]
pub struct Stat {
    /// The store
    pub store: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible check docs.idl
  indelible check docs.idl --json

Every damaged item is a line; the exit code is 5 where there is one.")]
pub struct Check {
    /// The store
    pub store: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible inspect docs.idl
  indelible inspect docs.idl --segment 3
  indelible inspect docs.idl --ledger --json")]
pub struct Inspect {
    /// The store
    pub store: PathBuf,
    /// Show this segment's records
    #[arg(long, value_name = "N", conflicts_with = "ledger")]
    pub segment: Option<u32>,
    /// Show the ledger's entries
    #[arg(long)]
    pub ledger: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  indelible bench notes.idl
  indelible bench /dev/shm/test.idl --keys 100000

Works with keys that begin with `~bench/`, which must not be there
before and are deleted after; other keys are left alone.")]
pub struct Bench {
    /// The store
    pub store: PathBuf,
    /// How many keys [default: what half the free space holds, up to 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keys: Option<u32>,
    /// Bytes of each value
    #[arg(long, default_value = "100", value_name = "BYTES", value_parser = text::size_u32)]
    pub value_size: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
