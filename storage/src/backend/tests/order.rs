use super::*;

/// Whatever is still in the buffer, and after a restart.
#[test]
fn the_consistent_index_never_falls() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let commit = |backend: &Backend, index, term| {
        let commit = || backend.commit(Batch::new(), Some(Applied { index, term }));
        catch_unwind(AssertUnwindSafe(commit)).is_ok()
    };
    for flushed in [false, true] {
        let backend = Backend::open(&path, options()).unwrap();
        assert!(commit(&backend, 8, 2));
        if flushed {
            backend.flush().unwrap();
        }
        assert!(!commit(&backend, 7, 2) && !commit(&backend, 9, 1));
        assert_eq!(backend.flush().unwrap(), Applied { index: 8, term: 2 });
    }
    let backend = Backend::open(&path, options()).unwrap();
    assert!(!commit(&backend, 7, 2));
    assert!(commit(&backend, 9, 2));
}
