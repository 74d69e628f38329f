//go:build linux && !amd64

package bpf

var archCalls map[int32]string
