package main

import (
	"errors"
	"strconv"
	"strings"
)

// size is a flag's number of bytes: 800M, 2G.
type size int64

const sizeUnits = "KMGT"

func (s *size) Set(value string) error {
	shift := 0
	number := strings.TrimSuffix(strings.ToUpper(value), "B")
	if n := len(number); n > 0 {
		if i := strings.IndexByte(sizeUnits, number[n-1]); i >= 0 {
			number, shift = number[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return errors.New("want bytes, as 800M or 2G")
	}
	*s = size(n << shift)
	return nil
}

// String says nothing for 0, which means that nobody said how much.
func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *size) Type() string { return "size" }
