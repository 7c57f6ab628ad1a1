//! One pass over JSON text: what the generated decoders call.
//!
//! The reader hands out values as the fields ask for them and builds nothing in between. Every way in is bounded: depth
//! by [`MAX_DEPTH`], time by the length of the text, memory by a multiple of it ([`crate::bounds`]).

use std::borrow::Cow;

use bytes::Bytes;

use super::number::{self, Integer};
use super::{FromJson, JsonError, base64};
use crate::bounds::{JSON_FACTOR, Level, List, Meter};

mod text;

/// How deep objects and arrays may nest. One level of transaction takes three; protobuf's own limit of 100 messages,
/// which applies when the log is read back, is not reached.
pub const MAX_DEPTH: u32 = 100;

/// The most of an offending token that an error repeats.
const MAX_QUOTED: usize = 64;

/// The most names that are remembered of fields that a message does not have, and the longest of them.
const MAX_PASSED_OVER: (usize, usize) = (8, 64);

/// Fields by whose values somebody is known: no error repeats them.
const SECRET: [&str; 2] = ["password", "hashedPassword"];

/// A cursor over JSON text.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
    meter: Meter,
    passed_over: Vec<Box<str>>,
}

/// What has been seen of the object that is being read.
#[derive(Debug)]
pub struct Fields {
    first: bool,
    /// Fields from the lowest bit up, oneofs from the highest down.
    seen: u64,
}

type Result<T> = std::result::Result<T, JsonError>;

impl<'a> Reader<'a> {
    /// Starts at the front of `text`.
    pub fn new(text: &'a [u8]) -> Reader<'a> {
        Reader::within(text, usize::MAX)
    }

    /// The same, with at most `max_txn_ops` elements in any list of a transaction.
    pub fn within(text: &'a [u8], max_txn_ops: usize) -> Reader<'a> {
        let meter = Meter::new(text.len().saturating_mul(JSON_FACTOR), max_txn_ops);
        Reader { text, at: 0, depth: 0, meter, passed_over: Vec::new() }
    }

    /// Names of fields that were passed over since the messages do not have them: the first few, and no long ones.
    pub fn into_passed_over(self) -> Vec<Box<str>> {
        self.passed_over
    }

    /// Whether only white space is left.
    pub fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// How many bytes have been read.
    pub fn consumed(&self) -> usize {
        self.at
    }

    /// Reads a nested message.
    pub fn message<T: FromJson>(&mut self) -> Result<T> {
        T::read(self)
    }

    /// Enters an object.
    pub fn object(&mut self) -> Result<Fields> {
        match self.peek() {
            Some(b'{') => {
                self.enter()?;
                Ok(Fields { first: true, seen: 0 })
            }
            _ => Err(self.unexpected()),
        }
    }

    /// The name of the object's next field, its colon read; `None` when the object has ended. Not yet checked for UTF-8:
    /// a name that is known needs no check, and any other goes to [`Reader::unknown`].
    pub fn name(&mut self, fields: &mut Fields) -> Result<Option<Cow<'a, [u8]>>> {
        if !self.next_in(b'}', &mut fields.first)? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let name = self.raw_string()?;
        match self.peek() {
            Some(b':') => self.at += 1,
            _ => return Err(self.unexpected()),
        }
        Ok(Some(name))
    }

    /// Reads past the value of a field that the message does not have.
    pub fn unknown(&mut self, name: &[u8]) -> Result<()> {
        let name = self.checked(name)?;
        let (most, longest) = MAX_PASSED_OVER;
        if self.passed_over.len() < most && name.len() <= longest {
            self.passed_over.push(name.into());
        }
        self.skip()
    }

    fn checked<'n>(&self, name: &'n [u8]) -> Result<&'n str> {
        std::str::from_utf8(name).map_err(|_| self.syntax(self.at, "invalid UTF-8 in string"))
    }

    /// Whether a field whose name was just read has a value to set: not if it is null. Twice is an error.
    pub fn field(&mut self, fields: &mut Fields, bit: u32, name: &str) -> Result<bool> {
        if fields.seen & 1 << bit != 0 {
            return Err(self.invalid(self.at, format!("duplicate field {name:?}")));
        }
        fields.seen |= 1 << bit;
        Ok(!self.null()?)
    }

    /// The same for a member of a oneof, of which only one may have a value.
    pub fn member(&mut self, fields: &mut Fields, bit: u32, oneof_bit: u32, name: &str, oneof: &str) -> Result<bool> {
        if !self.field(fields, bit, name)? {
            return Ok(false);
        }
        if fields.seen & 1 << oneof_bit != 0 {
            return Err(self.invalid(self.at, format!("error parsing {name:?}, oneof {oneof} is already set")));
        }
        fields.seen |= 1 << oneof_bit;
        Ok(true)
    }

    /// Reads an array into `target`: what `element` reads of each value in it, if anything.
    pub fn list<T>(
        &mut self,
        name: &str,
        target: &mut Vec<T>,
        element: impl FnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<()> {
        self.counted(name, target, element, false)
    }

    /// The same for the operations of a transaction.
    pub fn operations<T>(
        &mut self,
        name: &str,
        target: &mut Vec<T>,
        element: impl FnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<()> {
        self.counted(name, target, element, true)
    }

    /// Begins a transaction, which may be inside another one.
    pub fn enter_transaction(&mut self) -> Level {
        self.meter.enter()
    }

    /// Ends a transaction, with what its beginning gave back.
    pub fn leave_transaction(&mut self, outer: Level) {
        self.meter.leave(outer);
    }

    fn counted<T>(
        &mut self,
        name: &str,
        target: &mut Vec<T>,
        mut element: impl FnMut(&mut Self) -> Result<Option<T>>,
        operations: bool,
    ) -> Result<()> {
        if self.peek() != Some(b'[') {
            return Err(self.mismatch("repeated", name));
        }
        let mut list = List::default();
        self.array(|reader| {
            reader.meter.add(&mut list, 1, size_of::<T>(), operations)?;
            target.extend(element(reader)?);
            Ok(())
        })
    }

    /// Reads the array that the cursor is at.
    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.enter()?;
        let mut first = true;
        while self.next_in(b']', &mut first)? {
            element(self)?;
        }
        Ok(())
    }

    /// Reads a bool.
    pub fn boolean(&mut self, name: &str) -> Result<bool> {
        let value = match self.peek() {
            Some(b't') => true,
            Some(b'f') => false,
            _ => return Err(self.mismatch("bool", name)),
        };
        self.literal(if value { "true" } else { "false" })?;
        Ok(value)
    }

    /// Reads an int32.
    pub fn int32(&mut self, name: &str) -> Result<i32> {
        self.integer("int32", name, |n| n.to_i64().and_then(|n| i32::try_from(n).ok()))
    }

    /// Reads an int64.
    pub fn int64(&mut self, name: &str) -> Result<i64> {
        self.integer("int64", name, Integer::to_i64)
    }

    /// Reads a uint32.
    pub fn uint32(&mut self, name: &str) -> Result<u32> {
        self.integer("uint32", name, |n| n.to_u64().and_then(|n| u32::try_from(n).ok()))
    }

    /// Reads a uint64.
    pub fn uint64(&mut self, name: &str) -> Result<u64> {
        self.integer("uint64", name, Integer::to_u64)
    }

    /// Reads a string.
    pub fn string(&mut self, name: &str) -> Result<String> {
        match self.peek() {
            Some(b'"') => self.utf8(self.at).map(Cow::into_owned),
            _ => Err(self.mismatch("string", name)),
        }
    }

    /// Reads bytes from base64.
    pub fn bytes(&mut self, name: &str) -> Result<Bytes> {
        let Some(b'"') = self.peek() else {
            return Err(self.mismatch("bytes", name));
        };
        let start = self.at;
        let text = self.raw_string()?;
        match base64::decode(&text) {
            Some(bytes) => Ok(Bytes::from(bytes)),
            None => Err(self.unfit(start, "bytes", name)),
        }
    }

    /// Reads an enum by name or number. An unknown name is `None`: the field stays as it is. An unknown number passes,
    /// for the receiver to judge.
    pub fn enumeration(&mut self, name: &str, by_name: impl FnOnce(&str) -> Option<i32>) -> Result<Option<i32>> {
        match self.peek() {
            Some(b'"') => {
                let text = self.utf8(self.at)?;
                Ok(by_name(&text).or_else(|| {
                    number::integer(text.as_bytes())?.to_i64().and_then(|number| i32::try_from(number).ok())
                }))
            }
            Some(b'-' | b'0'..=b'9') => {
                self.integer("enum", name, |n| n.to_i64().and_then(|n| i32::try_from(n).ok())).map(Some)
            }
            _ => Err(self.mismatch("enum", name)),
        }
    }

    /// Reads past a value of any kind.
    pub fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'{') => {
                let mut fields = self.object()?;
                while let Some(name) = self.name(&mut fields)? {
                    self.checked(&name)?;
                    self.skip()?;
                }
                Ok(())
            }
            Some(b'[') => self.array(Self::skip),
            Some(b'"') => self.utf8(self.at).map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => Err(self.unexpected()),
        }
    }

    /// Reads a null, if there is one.
    fn null(&mut self) -> Result<bool> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.literal("null")?;
        Ok(true)
    }

    fn integer<T>(&mut self, kind: &str, name: &str, convert: impl FnOnce(Integer) -> Option<T>) -> Result<T> {
        let start = match self.peek() {
            Some(b'"' | b'-' | b'0'..=b'9') => self.at,
            _ => return Err(self.mismatch(kind, name)),
        };
        let value = if self.text.get(start) == Some(&b'"') {
            number::integer(&self.raw_string()?)
        } else {
            number::integer(self.number()?)
        };
        value.and_then(convert).ok_or_else(|| self.unfit(start, kind, name))
    }

    /// The text of the number at the cursor.
    fn number(&mut self) -> Result<&'a [u8]> {
        let rest = self.rest();
        let length = number::scan(rest).unwrap_or(0);
        let delimited =
            !matches!(rest.get(length), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-' | b'_'));
        match rest.get(..length) {
            Some(number) if length > 0 && delimited => {
                self.at += length;
                Ok(number)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, literal: &str) -> Result<()> {
        let rest = self.rest();
        if rest.starts_with(literal.as_bytes()) && !rest.get(literal.len()).is_some_and(u8::is_ascii_alphanumeric) {
            self.at += literal.len();
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// The string at the cursor, which is at its opening quote.
    fn utf8(&mut self, start: usize) -> Result<Cow<'a, str>> {
        match self.raw_string()? {
            Cow::Borrowed(text) => std::str::from_utf8(text).map(Cow::Borrowed).ok(),
            Cow::Owned(text) => String::from_utf8(text).map(Cow::Owned).ok(),
        }
        .ok_or_else(|| self.syntax(start, "invalid UTF-8 in string"))
    }

    fn raw_string(&mut self) -> Result<Cow<'a, [u8]>> {
        match text::string(self.rest()) {
            Ok((value, length)) => {
                self.at += length;
                Ok(value)
            }
            Err(text::Fault::Unterminated) => {
                self.at = self.text.len();
                Err(JsonError::UnexpectedEof)
            }
            Err(text::Fault::Invalid { offset, what }) => Err(self.syntax(self.at + offset, what)),
        }
    }

    /// Past an opening bracket, which the caller has seen.
    fn enter(&mut self) -> Result<()> {
        if self.depth == MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Moves to the next element of an object or array, past the comma before it; false if `close` ended it.
    fn next_in(&mut self, close: u8, first: &mut bool) -> Result<bool> {
        let was_first = std::mem::replace(first, false);
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !was_first => {
                self.at += 1;
                // What must follow is a value: a second comma or the end is refused by whoever reads it.
                match self.peek() {
                    Some(byte) if byte == close => Err(self.unexpected()),
                    _ => Ok(true),
                }
            }
            Some(_) if was_first => Ok(true),
            _ => Err(self.unexpected()),
        }
    }

    /// The next byte that is not white space, left where it is.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// Errors, with the place they point at.
impl Reader<'_> {
    /// The token at the cursor is of no kind the field takes. If it is no token at all, the text is to blame.
    #[cold]
    fn mismatch(&mut self, kind: &str, name: &str) -> JsonError {
        let start = self.at;
        match self.skip() {
            Ok(()) => self.unfit(start, kind, name),
            Err(error) => error,
        }
    }

    /// The token from `start` to the cursor has no value of this kind.
    #[cold]
    fn unfit(&self, start: usize, kind: &str, name: &str) -> JsonError {
        if SECRET.contains(&name) {
            return self.invalid(start, format!("invalid value for {kind} field {name}"));
        }
        let token = self.text.get(start..self.at).unwrap_or_default();
        let shown = token.get(..MAX_QUOTED).map_or_else(
            || String::from_utf8_lossy(token).into_owned(),
            |head| format!("{}...", String::from_utf8_lossy(head)),
        );
        self.invalid(start, format!("invalid value for {kind} field {name}: {shown}"))
    }

    #[cold]
    fn unexpected(&mut self) -> JsonError {
        match self.peek() {
            None => JsonError::UnexpectedEof,
            Some(byte) => self.syntax(self.at, &format!("unexpected token {}", byte.escape_ascii())),
        }
    }

    #[cold]
    fn syntax(&self, at: usize, what: &str) -> JsonError {
        let (line, column) = self.position(at);
        JsonError::Syntax { line, column, what: what.into() }
    }

    #[cold]
    fn invalid(&self, at: usize, what: String) -> JsonError {
        let (line, column) = self.position(at);
        JsonError::Value { line, column, what: what.into() }
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        (line, before.len() - line_start + 1)
    }
}
