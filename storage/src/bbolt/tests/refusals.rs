//! What a writer does not take.

use std::io;

use super::*;

#[derive(Debug)]
struct Full(usize, Cursor<Vec<u8>>);

impl io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Seek for Full {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.1.seek(to)
    }
}

#[test]
fn refused_rows_leave_the_others_alone() {
    let mut writer = Writer::new(Cursor::new(Vec::new())).unwrap();
    let says = |result: Result<(), WriteError>| result.unwrap_err().to_string();
    assert_eq!(says(writer.put(b"a", b"")), "a row before the first bucket");
    assert_eq!(says(writer.bucket(b"")), "bucket \"\": an empty key");
    writer.bucket(b"a").unwrap();
    writer.bucket(b"b").unwrap();
    writer.put(b"n", b"1").unwrap();
    assert_eq!(says(writer.put(b"", b"")), "a row of bucket \"b\": an empty key");
    for key in [&b"n"[..], b"m", b"\0"] {
        assert_eq!(says(writer.put(key, b"2")), "a row of bucket \"b\": the key does not come after the one before it");
    }
    let long = [b'z'; layout::MAX_KEY_BYTES + 1];
    assert_eq!(says(writer.put(&long, b"")), "a row of bucket \"b\": a key of 32769 bytes, and 32768 is the most");
    writer.put(b"n\0", b"3").unwrap();
    writer.put(&long[1..], b"4").unwrap();
    let (out, written) = writer.finish().unwrap();
    assert_eq!(written.rows, 3);
    let rows = [(b"n".to_vec(), b"1".to_vec()), (b"n\0".to_vec(), b"3".to_vec()), (long[1..].to_vec(), b"4".to_vec())];
    assert_eq!(read(out.get_ref()).unwrap(), [(b"a".to_vec(), Vec::new()), (b"b".to_vec(), rows.to_vec())]);
}

#[test]
fn buckets_come_in_the_order_of_their_names() {
    for name in [&b"b"[..], b"a", b"aa"] {
        let mut writer = Writer::new(Cursor::new(Vec::new())).unwrap();
        writer.bucket(b"b").unwrap();
        writer.put(b"x", b"1").unwrap();
        let refused = writer.bucket(name).unwrap_err().to_string();
        assert!(refused.ends_with(": the key does not come after the one before it"), "{refused}");
        // None is under way then, rather than the one before.
        assert!(matches!(writer.put(b"y", b"2"), Err(WriteError::NoBucket)));
        writer.bucket(b"c").unwrap();
        let (out, _) = writer.finish().unwrap();
        assert_eq!(read(out.get_ref()).unwrap().len(), 2);
    }
}

#[test]
fn keys_begin_anew_in_each_bucket() {
    let rows = rows(3, 8, 8);
    let contents = vec![(b"a".to_vec(), rows.clone()), (b"b".to_vec(), rows)];
    assert_eq!(read(&write(&contents)).unwrap(), contents);
}

#[test]
fn what_was_not_written_is_no_file() {
    let contents = among_others(rows(20_000, 18, 200));
    let size = write(&contents).len();
    for room in [0, 1 << 20, 3 << 20, size - 8192, size - 1] {
        let mut writer = Writer::new(Full(room, Cursor::new(Vec::new()))).unwrap();
        let mut failures = 0;
        for (name, rows) in &contents {
            failures += usize::from(writer.bucket(name).is_err());
            failures += rows.iter().filter(|(key, value)| writer.put(key, value).is_err()).count();
        }
        // Whoever goes on regardless gets no file either.
        let error = writer.finish().unwrap_err();
        assert!(matches!(error, WriteError::Io(_)), "{error}");
        assert!(room > size - 9000 || failures > 0, "{room}");
    }
    let mut writer = Writer::new(Full(size, Cursor::new(Vec::new()))).unwrap();
    for (name, rows) in &contents {
        writer.bucket(name).unwrap();
        rows.iter().for_each(|(key, value)| writer.put(key, value).unwrap());
    }
    let (out, _) = writer.finish().unwrap();
    assert!(read(out.1.get_ref()).unwrap() == contents);
}
