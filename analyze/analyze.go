// Package analyze holds the words in which closecap says what captured segments and recorded
// calls mean: Result, Connection, the codes, what picks and orders connections, and what holds for
// every Result.
//
// The packages below it come to that: tcp follows one connection, verdict judges it, compat says
// what other tools would, flows follows many, join adds the calls, compare asks the same of several
// scenarios, explain and report are for people. All but report are pure: no file, no socket, no
// clock, no goroutine.
package analyze
