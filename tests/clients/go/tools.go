//go:build tools

// Package tools pins the etcd that the suites compare with, and its tool for backups.
package tools

import (
	_ "go.etcd.io/etcd/etcdutl/v3"
	_ "go.etcd.io/etcd/server/v3"
)
