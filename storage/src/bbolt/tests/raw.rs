//! Files put together by hand, right or not.

use crate::bbolt::layout::*;

pub(super) const SIZE: usize = 1024;

/// A file with pages of 1 KiB.
pub(super) struct Raw {
    pub(super) bytes: Vec<u8>,
}

impl Raw {
    /// Of so many pages, with good metas.
    pub(super) fn new(pages: u64, root: u64) -> Raw {
        let mut raw = Raw { bytes: vec![0; usize::try_from(pages).unwrap() * SIZE] };
        raw.metas(pages, root, None);
        raw
    }

    pub(super) fn metas(&mut self, high_water: u64, root: u64, free_list: Option<u64>) {
        for page in [0, 1] {
            let meta = Meta { page_bytes: 1024, root, free_list, high_water, txid: 2 - page };
            self.put(page, 0, &meta.encode(page));
        }
    }

    pub(super) fn put(&mut self, page: u64, offset: usize, bytes: &[u8]) {
        let at = usize::try_from(page).unwrap() * SIZE + offset;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn header(&mut self, page: u64, kind: PageKind, count: u16, overflow: u32) {
        let mut out = Vec::new();
        PageHeader { page, kind: Some(kind), count, overflow }.encode(&mut out);
        self.put(page, 0, &out);
    }

    pub(super) fn leaf(&mut self, page: u64, flags: u32, rows: &[(&[u8], &[u8])]) {
        self.put(page, 0, &leaf(page, flags, rows));
    }

    /// A leaf of values with these keys.
    pub(super) fn keys(&mut self, page: u64, keys: &[&str]) {
        self.leaf(page, 0, &keys.iter().map(|key| (key.as_bytes(), &b"value"[..])).collect::<Vec<_>>());
    }

    /// A root leaf in page 2: buckets and the pages of their roots.
    pub(super) fn buckets(&mut self, buckets: &[(&str, u64)]) {
        let values: Vec<_> = buckets.iter().map(|(_, root)| BucketValue::encode_tree(*root)).collect();
        let rows: Vec<_> =
            buckets.iter().zip(&values).map(|((name, _), value)| (name.as_bytes(), &value[..])).collect();
        self.leaf(2, IS_BUCKET, &rows);
    }

    pub(super) fn branch(&mut self, page: u64, children: &[(&str, u64)]) {
        let mut out = Vec::new();
        let count = u16::try_from(children.len()).unwrap();
        PageHeader { page, kind: Some(PageKind::Branch), count, overflow: 0 }.encode(&mut out);
        let mut data = Vec::new();
        for (index, (key, child)) in children.iter().enumerate() {
            let pos = u32::try_from((children.len() - index) * ELEMENT_BYTES + data.len()).unwrap();
            BranchElement { pos, key_bytes: u32::try_from(key.len()).unwrap(), child: *child }.encode(&mut out);
            data.extend_from_slice(key.as_bytes());
        }
        out.extend(data);
        self.put(page, 0, &out);
    }

    pub(super) fn free_list(&mut self, page: u64, count: u16, numbers: &[u64]) {
        self.header(page, PageKind::FreeList, count, 0);
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.put(page, HEADER_BYTES, &numbers);
    }
}

/// The bytes of a leaf.
pub(super) fn leaf(page: u64, flags: u32, rows: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let count = u16::try_from(rows.len()).unwrap();
    PageHeader { page, kind: Some(PageKind::Leaf), count, overflow: 0 }.encode(&mut out);
    let mut data = Vec::new();
    for (index, (key, value)) in rows.iter().enumerate() {
        let short = |length: usize| u32::try_from(length).unwrap();
        let pos = short((rows.len() - index) * ELEMENT_BYTES + data.len());
        LeafElement { flags, pos, key_bytes: short(key.len()), value_bytes: short(value.len()) }.encode(&mut out);
        data.extend_from_slice(key);
        data.extend_from_slice(value);
    }
    out.extend(data);
    out
}
