//! `put`, `get`, `del` and `list`.

use std::io::Read;

use indelible_dax::indelible::Error;
use indelible_dax::{HostStore, Reads};

use super::keys::{Change, is_absent, is_too_large};
use super::stores::{changing, reading, walking};
use super::walk::each_key;
use crate::args::{Del, Get, List, Put};
use crate::failure::{Code, Failure, Outcome};
use crate::output::{Output, complain};
use crate::text::{argument, escaped};

/// Bytes of a value that are read at a time.
const PIECE: usize = 256 << 10;

pub fn put(args: Put) -> Outcome {
    let key = argument(&args.key, args.hex)?;
    let value = match &args.value {
        Some(value) => argument(value, args.hex)?,
        None => standard_input()?,
    };
    let put = || {
        changing(&args.store, |store| {
            store
                .put(&key, &value)
                .map_err(|error| Failure::from(error).about(args.store.display()))
        })
    };
    match put() {
        // Where the index was loaded, this is what found the damage. The close
        // saved none then, so the next start looks at everything and knows what
        // may be replaced.
        Err(failure) if failure.code == Code::Damage => put(),
        done => done,
    }
}

/// All of standard input.
pub fn standard_input() -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(Failure::input)?;
    Ok(bytes)
}

pub fn get(args: Get) -> Outcome {
    let key = argument(&args.key, args.form.hex)?;
    let name = || format!("{}: {}", args.store.display(), escaped(&key));
    reading(&args.store, Reads::Mapped, |stores| {
        let store = stores.of(&key);
        let mut output = Output::new();
        let mut shown = Vec::new();
        let mut show = |bytes: &[u8]| {
            if args.form.utf8 {
                // A character may lie across two pieces.
                shown.extend_from_slice(bytes);
                return Ok(());
            }
            shown.clear();
            args.form.show(bytes, &mut shown);
            output.bytes(&shown)
        };
        let found = match args.element {
            None => each_piece(store, &key, &mut show).map_err(|failure| failure.about(name()))?,
            Some(index) => {
                let element =
                    list_element(store, &key, index).map_err(|failure| failure.about(name()))?;
                element.map(|element| show(&element)).transpose()?.is_some()
            }
        };
        if !found {
            return Err(Failure::new(
                Code::NotFound,
                format_args!("{}: not found", name()),
            ));
        }
        if args.form.utf8 {
            output.bytes(escaped(&shown).as_bytes())?;
        }
        if args.form.is_shown() {
            output.bytes(b"\n")?;
        }
        output.flush()
    })
}

/// Hands a value on piece by piece, and says whether the key is there.
pub fn each_piece<'a, I>(
    store: &HostStore<'a, I>,
    key: &[u8],
    mut take: impl FnMut(&[u8]) -> Outcome,
) -> Outcome<bool>
where
    I: indelible_dax::host::HostIndex<'a>,
{
    let Some(len) = store.value_len(key)? else {
        return Ok(false);
    };
    let mut buffer = vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE))];
    let mut done = 0;
    while done < len {
        match store.read_value(key, done, &mut buffer)? {
            None | Some(0) => return Err(Failure::new(Code::Damage, "the value ends early")),
            Some(read) => {
                take(&buffer[..read])?;
                done += read as u64;
            }
        }
    }
    Ok(true)
}

fn list_element(store: &HostStore<'_>, key: &[u8], index: u64) -> Outcome<Option<Vec<u8>>> {
    let mut element = vec![0; 4096];
    loop {
        match store.list_read(key, index, &mut element) {
            Ok(None) | Err(Error::NotFound) => return Ok(None),
            Ok(Some(len)) => {
                element.truncate(len);
                return Ok(Some(element));
            }
            Err(Error::BufferTooSmall { needed }) => element.resize(needed, 0),
            Err(error) => return Err(error.into()),
        }
    }
}

pub fn del(args: Del) -> Outcome {
    let mut keys = Vec::new();
    for key in &args.keys {
        keys.push(argument(key, args.hex)?);
    }
    changing(&args.store, |store| {
        let mut missing = false;
        let about = |error| Failure::from(error).about(args.store.display());
        for key in &keys {
            let mut deleted = store.stage(Change::Delete(key));
            if matches!(&deleted, Err(error) if is_too_large(error)) {
                store.commit().map_err(about)?;
                deleted = store.stage(Change::Delete(key));
            }
            match deleted {
                Ok(()) => {}
                Err(error) if is_absent(&error) => {
                    missing = true;
                    complain(&format!(
                        "{}: {}: not found",
                        args.store.display(),
                        escaped(key)
                    ));
                }
                Err(error) => {
                    // Nothing of the transaction is done.
                    store.abort();
                    return Err(about(error));
                }
            }
        }
        store.commit().map_err(about)?;
        if missing {
            Err(Failure::told(Code::NotFound))
        } else {
            Ok(())
        }
    })
}

pub fn list(args: List) -> Outcome {
    let prefix = match &args.prefix {
        Some(prefix) => argument(prefix, args.form.hex)?,
        None => Vec::new(),
    };
    walking(&args.store, Reads::Mapped, |stores| {
        let mut output = Output::new();
        let mut line = Vec::new();
        let listed = each_key(stores.all(), &prefix, |store, entry| {
            line.clear();
            if args.long {
                let elements = store.list_len(entry.key)?.unwrap_or(0);
                line.extend_from_slice(
                    format!("{:>12} {elements:>8} ", entry.value_len).as_bytes(),
                );
            }
            args.form.show(entry.key, &mut line);
            line.push(b'\n');
            output.bytes(&line)
        });
        output.flush()?;
        listed.map_err(|failure| failure.about(args.store.display()))
    })
}
