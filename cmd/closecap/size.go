package main

import (
	"strconv"
	"strings"
)

// bytesOf reads how many bytes a flag says: 800M, 2G.
func bytesOf(flag, s string) (int64, error) {
	const units = "KMGT"
	shift := 0
	number := strings.TrimSuffix(strings.ToUpper(s), "B")
	if n := len(number); n > 0 {
		if i := strings.IndexByte(units, number[n-1]); i >= 0 {
			number, shift = number[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return 0, misused("--%s %s: want bytes, as 800M or 2G", flag, s)
	}
	return n << shift, nil
}
