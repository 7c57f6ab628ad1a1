mod check;
mod damage;
mod metas;
mod raw;
mod refusals;
mod rows;
mod shape;
mod structure;

use std::io::Cursor;

use super::*;

type Rows = Vec<(Vec<u8>, Vec<u8>)>;
type Contents = Vec<(Vec<u8>, Rows)>;

/// What the writer makes of this, with pages of that size.
fn write_with(page_bytes: u32, contents: &Contents) -> Vec<u8> {
    let mut writer = Writer::with_page_bytes(Cursor::new(Vec::new()), page_bytes).unwrap();
    let mut count = 0;
    for (name, rows) in contents {
        writer.bucket(name).unwrap();
        for (key, value) in rows {
            writer.put(key, value).unwrap();
            count += 1;
        }
    }
    let (out, written) = writer.finish().unwrap();
    let bytes = out.into_inner();
    let size = bytes.len() as u64;
    assert_eq!(written, Written { bytes: size, pages: size / u64::from(page_bytes), rows: count });
    bytes
}

fn write(contents: &Contents) -> Vec<u8> {
    write_with(layout::PAGE_BYTES, contents)
}

/// What the reader finds, having looked at all pages.
fn read(bytes: &[u8]) -> Result<Contents, ReadError> {
    let reader = Reader::open(bytes)?;
    let (mut buckets, mut contents) = (reader.buckets()?, Vec::new());
    while let Some(mut bucket) = buckets.next_bucket()? {
        let (name, mut rows) = (bucket.name().to_vec(), Vec::new());
        while let Some(row) = bucket.next_row()? {
            rows.push((row.key.to_vec(), row.value.to_vec()));
        }
        contents.push((name, rows));
    }
    Ok(contents)
}

/// What is wrong with a page of it.
fn damage(bytes: &[u8]) -> Damaged {
    match read(bytes) {
        Err(ReadError::Damaged(damaged)) => *damaged,
        other => panic!("{other:?}"),
    }
}

/// Rows with keys and values of these sizes.
fn rows(count: usize, key_bytes: usize, value_bytes: usize) -> Rows {
    let row = |n: usize| {
        let mut key = format!("{n:08}").into_bytes();
        key.resize(key_bytes, b'k');
        (key, vec![u8::try_from(n % 251).unwrap(); value_bytes])
    };
    (0..count).map(row).collect()
}

/// A bucket like those of etcd, and others around it.
fn among_others(rows: Rows) -> Contents {
    vec![
        (b"alarm".to_vec(), Vec::new()),
        (b"key".to_vec(), rows),
        (b"meta".to_vec(), vec![(b"term".to_vec(), vec![1])]),
    ]
}
