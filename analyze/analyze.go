// Package analyze says what captured segments and recorded calls mean: which call caused
// which segment, what states both ends went through, how the connection ended and why.
//
// It is pure: no file, no socket, no clock, no goroutine. It reads events and returns
// values; reading captures is package capture's, showing results package report's.
package analyze
