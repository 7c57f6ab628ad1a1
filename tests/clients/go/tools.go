//go:build tools

// Package tools pins the etcd that the suites compare with.
package tools

import _ "go.etcd.io/etcd/server/v3"
