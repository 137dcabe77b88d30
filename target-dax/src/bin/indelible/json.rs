//! JSON as far as the command prints it.

use std::fmt::Write;

use crate::text;

/// A JSON value under construction: objects and arrays of what is added.
#[derive(Debug, Default)]
pub struct Json(String);

impl Json {
    /// An object of the fields that `fill` adds.
    pub fn object(fill: impl FnOnce(&mut Fields)) -> Self {
        let mut fields = Fields(String::from("{"));
        fill(&mut fields);
        fields.0.push('}');
        Self(fields.0)
    }

    /// An array of values.
    pub fn array(items: impl IntoIterator<Item = Json>) -> Self {
        let mut text = String::from("[");
        for item in items {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&item.0);
        }
        text.push(']');
        Self(text)
    }

    pub fn string(value: &str) -> Self {
        let mut text = String::from("\"");
        for c in value.chars() {
            match c {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                c if c < ' ' => {
                    let _ = write!(text, "\\u{:04x}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        text.push('"');
        Self(text)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self(value.to_string())
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self(value.to_string())
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Self {
        Self(value.to_string())
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Self {
        Self(if value.is_finite() {
            format!("{value:.3}")
        } else {
            "null".to_string()
        })
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self(value.to_string())
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::string(value)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(|| Self("null".to_string()), Into::into)
    }
}

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The fields of an object.
pub struct Fields(String);

impl Fields {
    pub fn add(&mut self, name: &str, value: impl Into<Json>) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        let _ = write!(self.0, "\"{name}\":{}", value.into());
    }

    /// Bytes as text where they are UTF-8, else in hexadecimal under
    /// `NAME_hex`.
    pub fn add_bytes(&mut self, name: &str, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.add(name, text),
            Err(_) => {
                let mut hex = Vec::new();
                crate::args::Form {
                    hex: true,
                    utf8: false,
                }
                .show(bytes, &mut hex);
                self.add(&format!("{name}_hex"), text::escaped(&hex).as_str());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_json() {
        let json = Json::object(|fields| {
            fields.add("text", "a\"b\\c\nd\u{1}ü");
            fields.add(
                "list",
                Json::array([1u64.into(), true.into(), Json::from(None::<u32>)]),
            );
            fields.add_bytes("key", b"\xff\x00");
            fields.add("ratio", 0.5);
        });
        let parsed: serde_json::Value = serde_json::from_str(&json.to_string()).unwrap();
        assert_eq!(parsed["text"], "a\"b\\c\nd\u{1}ü");
        assert_eq!(parsed["list"], serde_json::json!([1, true, null]));
        assert_eq!(parsed["key_hex"], "ff00");
        assert_eq!(parsed["ratio"], 0.5);
    }
}
