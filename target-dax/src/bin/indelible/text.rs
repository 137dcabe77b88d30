//! Sizes, keys and bytes as people write them.

use std::ffi::OsStr;
use std::fmt::Write;

use crate::args::Form;
use crate::failure::Failure;

/// `4096`, `64K`, `4M`, `4MiB`, `1G`: always powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    if number.is_empty() {
        return Err("a size is a number, such as 4M".to_string());
    }
    if suffix.starts_with(['.', ',']) {
        return Err("a size is a whole number: write 4608K for 4.5M".to_string());
    }
    let shift = match suffix
        .to_ascii_uppercase()
        .trim_end_matches("IB")
        .trim_end_matches('B')
    {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("`{suffix}` is no unit: use K, M, G or T")),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "a size is a number, such as 4M".to_string())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "that is more than any disk holds".to_string())
}

pub fn size_u32(text: &str) -> Result<u32, String> {
    size(text)?
        .try_into()
        .map_err(|_| "too large: 4G is the limit".to_string())
}

/// `2:64K`: two logs of 64 KiB each.
pub fn logs(text: &str) -> Result<(u32, u64), String> {
    let (count, capacity) = text
        .split_once(':')
        .ok_or_else(|| "write N:SIZE, such as 2:64K for two logs of 64 KiB".to_string())?;
    let count = count
        .parse()
        .map_err(|_| format!("`{count}` is no number of logs"))?;
    Ok((count, size(capacity)?))
}

pub fn id(text: &str) -> Result<u128, String> {
    u128::from_str_radix(text, 16).map_err(|_| "an id is up to 32 hexadecimal digits".to_string())
}

/// Bytes for people, as `stat` shows them.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value.fract() == 0.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// The bytes of an argument, as they are or from hexadecimal.
pub fn argument(text: &OsStr, hex: bool) -> Result<Vec<u8>, Failure> {
    if hex {
        from_hex(text.as_encoded_bytes())
    } else {
        raw(text)
    }
}

#[cfg(unix)]
fn raw(text: &OsStr) -> Result<Vec<u8>, Failure> {
    Ok(text.as_encoded_bytes().to_vec())
}

#[cfg(not(unix))]
fn raw(text: &OsStr) -> Result<Vec<u8>, Failure> {
    match text.to_str() {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => Err(Failure::usage(
            "the argument is no valid text; write it with --hex",
        )),
    }
}

fn from_hex(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let wrong =
        || Failure::usage("--hex takes an even number of digits 0-9, a-f in keys and values");
    if !text.len().is_multiple_of(2) {
        return Err(wrong());
    }
    text.chunks(2)
        .map(|pair| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => Ok((high << 4 | low) as u8),
                _ => Err(wrong()),
            }
        })
        .collect()
}

impl Form {
    /// Adds bytes in this form to a line or to what is printed.
    pub fn show(self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.hex {
            for byte in bytes {
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        } else if self.utf8 {
            out.extend_from_slice(escaped(bytes).as_bytes());
        } else {
            out.extend_from_slice(bytes);
        }
    }

    /// Whether what is printed is for people.
    pub fn is_shown(self) -> bool {
        self.hex || self.utf8
    }
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

/// Text in which everything that is not printable UTF-8 is escaped, as the
/// batch grammar reads it.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\0' => text.push_str("\\0"),
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => {
                    let mut encoded = [0; 4];
                    for byte in c.encode_utf8(&mut encoded).bytes() {
                        let _ = write!(text, "\\x{byte:02x}");
                    }
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// What [`escaped`] wrote, and `\s` for a space.
pub fn unescaped(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b's') => b' ',
            Some(b'0') => 0,
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
                match (digit(rest.next()), digit(rest.next())) {
                    (Some(high), Some(low)) => (high << 4 | low) as u8,
                    _ => return Err("\\x takes two hexadecimal digits".to_string()),
                }
            }
            Some(other) => {
                let other = char::from(*other).escape_default();
                return Err(format!(
                    "\\{other} is no escape: write \\\\ for a backslash"
                ));
            }
            None => return Err("the line ends in a backslash: write \\\\ for one".to_string()),
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("17"), Ok(17));
        assert_eq!(size("4M"), Ok(4 << 20));
        assert_eq!(size("4MiB"), Ok(4 << 20));
        assert_eq!(size("64k"), Ok(64 << 10));
        assert_eq!(size("2T"), Ok(2 << 40));
        for wrong in ["", "M", "4X", "-1", "1.5M", "99999999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(bytes(4 << 20), "4 MiB");
        assert_eq!(bytes(1536), "1.5 KiB");
    }

    #[test]
    fn every_byte_survives_escaping() {
        let all: Vec<u8> = (0..=255).chain("grüße 日本\u{85}".bytes()).collect();
        let text = escaped(&all);
        assert!(!text.contains(char::is_control));
        assert_eq!(unescaped(text.as_bytes()), Ok(all));
        assert_eq!(unescaped(b"a\\sb\\x00"), Ok(b"a b\0".to_vec()));
        for wrong in [&b"\\"[..], b"\\q", b"\\x1", b"\\xgg"] {
            assert!(unescaped(wrong).is_err());
        }
    }

    #[test]
    fn every_byte_survives_hexadecimal() {
        let all: Vec<u8> = (0..=255).collect();
        let mut text = Vec::new();
        Form {
            hex: true,
            utf8: false,
        }
        .show(&all, &mut text);
        assert_eq!(from_hex(&text).ok(), Some(all));
        assert!(from_hex(b"0").is_err() && from_hex(b"0g").is_err());
    }
}
