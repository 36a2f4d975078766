//! The little of RESP2 that driving a node takes: commands out, replies in.
//!
//! The general client library keeps two buffers and a queue for each connection, 20 to 50 KiB;
//! a service that holds a connection to each of ten thousand nodes cannot afford that. Here the
//! buffers live as long as a batch does. Lengths that a reply claims are checked before anything
//! is set aside for them.

use std::ops::Range;

/// The longest single text of a reply: an ACL LIST line or an INFO section is far below.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// The most elements of one list: ten times what a server with 100,000 users answers.
const LIST_ITEMS_MAX: usize = 1 << 20;
/// The deepest nesting; selectors in ACL GETUSER make three.
const DEPTH_MAX: usize = 8;
/// The longest line: a status, an error, a number.
const LINE_BYTES_MAX: usize = 64 << 10;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// There is none.
    Nil,
    /// A number.
    Int(i64),
    /// A text, of whatever kind.
    Text(Vec<u8>),
    /// Several.
    List(Vec<Value>),
    /// A refusal: its first word, and the rest.
    Error(String, String),
}

/// What is not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotResp;

/// Adds a command to what will be sent.
pub(crate) fn encode<'a>(words: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    out.push(b'*');
    number(words.len(), out);
    for word in words {
        out.push(b'$');
        number(word.len(), out);
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn number(number: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Reads one reply from the front of what was received: it and how many bytes it took, or `None`
/// while it is not whole.
///
/// # Errors
/// When no continuation could make it a reply.
pub(crate) fn decode(input: &[u8]) -> Result<Option<(Value, usize)>, NotResp> {
    let mut reader = Reader { input, at: 0 };
    Ok(reader.value(0)?.map(|value| (value, reader.at)))
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The next line without its end.
    fn line(&mut self) -> Result<Option<Range<usize>>, NotResp> {
        let rest = &self.input[self.at..];
        let Some(end) = rest
            .iter()
            .take(LINE_BYTES_MAX)
            .position(|byte| *byte == b'\n')
        else {
            return if rest.len() >= LINE_BYTES_MAX {
                Err(NotResp)
            } else {
                Ok(None)
            };
        };
        if end == 0 || rest[end - 1] != b'\r' {
            return Err(NotResp);
        }
        let line = self.at..self.at + end - 1;
        self.at += end + 1;
        Ok(Some(line))
    }

    fn value(&mut self, depth: usize) -> Result<Option<Value>, NotResp> {
        if depth > DEPTH_MAX {
            return Err(NotResp);
        }
        let Some(kind) = self.input.get(self.at).copied() else {
            return Ok(None);
        };
        // A peer that speaks another protocol is told apart by its first byte.
        if !b"+-:$*".contains(&kind) {
            return Err(NotResp);
        }
        let Some(line) = self.line()? else {
            return Ok(None);
        };
        let line = &self.input[line.start + 1..line.end];
        match kind {
            b'+' => Ok(Some(Value::Text(line.to_vec()))),
            b'-' => {
                let text = String::from_utf8_lossy(line);
                let (code, rest) = text.split_once(' ').unwrap_or((&text, ""));
                Ok(Some(Value::Error(code.to_owned(), rest.to_owned())))
            }
            b':' => Ok(Some(Value::Int(parse(line)?))),
            b'$' => self.text(parse(line)?),
            _ => self.list(parse(line)?, depth),
        }
    }

    fn text(&mut self, length: i64) -> Result<Option<Value>, NotResp> {
        let Some(length) = bounded(length, TEXT_BYTES_MAX)? else {
            return Ok(Some(Value::Nil));
        };
        let end = self.at + length;
        match self.input.get(end..end + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(NotResp),
            None => return Ok(None),
        }
        let text = self.input[self.at..end].to_vec();
        self.at = end + 2;
        Ok(Some(Value::Text(text)))
    }

    fn list(&mut self, count: i64, depth: usize) -> Result<Option<Value>, NotResp> {
        let Some(count) = bounded(count, LIST_ITEMS_MAX)? else {
            return Ok(Some(Value::Nil));
        };
        // What is claimed is believed only as far as something has come.
        let mut items = Vec::with_capacity(count.min(self.input.len() - self.at));
        for _ in 0..count {
            match self.value(depth + 1)? {
                Some(item) => items.push(item),
                None => return Ok(None),
            }
        }
        Ok(Some(Value::List(items)))
    }
}

fn parse(line: &[u8]) -> Result<i64, NotResp> {
    let text = std::str::from_utf8(line).map_err(|_| NotResp)?;
    text.parse().map_err(|_| NotResp)
}

fn bounded(length: i64, most: usize) -> Result<Option<usize>, NotResp> {
    match length {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            _ => Err(NotResp),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn reads_each_kind() {
        let input = b"*6\r\n+OK\r\n:-3\r\n$2\r\na\n\r\n$-1\r\n*-1\r\n-NOPERM no\r\nrest";
        let list = vec![
            text("OK"),
            Value::Int(-3),
            text("a\n"),
            Value::Nil,
            Value::Nil,
            Value::Error("NOPERM".into(), "no".into()),
        ];
        let used = input.len() - 4;
        assert_eq!(decode(input), Ok(Some((Value::List(list), used))));
        for cut in 0..used {
            assert_eq!(decode(&input[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn refuses_what_is_no_reply() {
        for input in [
            "HTTP/1.1 400\r\n",
            "$-2\r\n",
            "$99999999999\r\n",
            "*1048577\r\n",
            "$1\r\nabc",
            ":x\r\n",
            "+OK\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        ] {
            assert_eq!(decode(input.as_bytes()), Err(NotResp), "{input:?}");
        }
        assert_eq!(decode(&vec![b'+'; LINE_BYTES_MAX]), Err(NotResp));
    }

    #[test]
    fn writes_commands() {
        let mut out = Vec::new();
        encode([b"ACL".as_slice(), b"\r\n"].into_iter(), &mut out);
        assert_eq!(out, b"*2\r\n$3\r\nACL\r\n$2\r\n\r\n\r\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some((_, used))) = decode(&input) {
                prop_assert!(used <= input.len());
            }
        }

        #[test]
        fn what_is_written_is_read(words in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..20), 1..6)
        ) {
            let mut out = Vec::new();
            encode(words.iter().map(Vec::as_slice), &mut out);
            let list = words.into_iter().map(Value::Text).collect();
            let used = out.len();
            prop_assert_eq!(decode(&out), Ok(Some((Value::List(list), used))));
        }
    }
}
