//go:build !linux

package main

const hugeFrom = 0

func hugePages() {}
