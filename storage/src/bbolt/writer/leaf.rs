//! A leaf under construction.

use std::io::{self, Seek, Write};

use super::sink::Sink;
use crate::bbolt::layout::{ELEMENT_BYTES, LeafElement, PageKind, node_bytes};

/// Rows that fit into one page.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    /// Without their places, which depend on how many there will be.
    elements: Vec<LeafElement>,
    data: Vec<u8>,
}

impl Leaf {
    pub(super) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// How large it would be with this row.
    pub(super) fn bytes_with(&self, key: &[u8], value: &[u8]) -> usize {
        node_bytes(self.elements.len() + 1, self.data.len() + key.len() + value.len())
    }

    pub(super) fn first_key(&self) -> &[u8] {
        let bytes = self.elements.first().map_or(0, |element| element.key_bytes as usize);
        self.data.get(..bytes).unwrap_or_default()
    }

    pub(super) fn push(&mut self, flags: u32, key: &[u8], value: &[u8]) {
        self.elements.push(element(flags, key, value));
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(value);
    }

    /// Writes it and begins anew; returns its page.
    pub(super) fn write<W: Write + Seek>(&mut self, sink: &mut Sink<W>) -> io::Result<u64> {
        let count = self.elements.len();
        let page = sink.begin_run(PageKind::Leaf, count, node_bytes(count, self.data.len()))?;
        let out = sink.elements();
        let mut pos = bytes(count * ELEMENT_BYTES);
        for element in &self.elements {
            LeafElement { pos, ..*element }.encode(out);
            // From the next element on, to the next key.
            pos = pos - bytes(ELEMENT_BYTES) + element.key_bytes + element.value_bytes;
        }
        sink.push(&self.data)?;
        sink.end_run();
        self.clear();
        Ok(page)
    }

    pub(super) fn clear(&mut self) {
        self.elements.clear();
        self.data.clear();
    }
}

/// Writes a leaf of this row alone, of as many pages as it needs; returns the first.
pub(super) fn write_alone<W: Write + Seek>(
    sink: &mut Sink<W>,
    flags: u32,
    key: &[u8],
    value: &[u8],
) -> io::Result<u64> {
    let page = sink.begin_run(PageKind::Leaf, 1, node_bytes(1, key.len() + value.len()))?;
    LeafElement { pos: bytes(ELEMENT_BYTES), ..element(flags, key, value) }.encode(sink.elements());
    sink.push(key)?;
    sink.push(value)?;
    sink.end_run();
    Ok(page)
}

fn element(flags: u32, key: &[u8], value: &[u8]) -> LeafElement {
    LeafElement { flags, pos: 0, key_bytes: bytes(key.len()), value_bytes: bytes(value.len()) }
}

/// A length that is known to be far below 4 GiB.
fn bytes(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
