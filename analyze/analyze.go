// Package analyze holds the words in which closecap says what captured segments and recorded
// calls mean: Result, Connection, the codes, what picks and orders connections, and what holds for
// every Result.
//
// The packages below it come to that from event, the evidence: tcp follows one connection, verdict
// judges it, compat says what other tools would, flows follows many, join adds the calls, endings goes
// by the kernel's word without packets, sockets tells what open ones wait for, compare asks the same of
// several scenarios, explain and report are for people. None reads a file, a socket or a clock, and all
// but report do without goroutines.
package analyze
