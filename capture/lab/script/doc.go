// Package script is the language of scenarios: it reads scripts, checks them, and brings the
// built-in ones. It runs nothing (package lab does, on Linux) and knows no operating system, so
// that a script can be read and checked anywhere.
//
// # A script
//
// A line is ACTOR[:SOCKET] CALL [-> OUTCOME], or a directive (wait, until, drop, pass, kill,
// sysctl, actor), or "expect …" (package expect has what can be expected). Client and server
// exist from the start; fork and actor make further processes. A socket without a name is the
// actor's connection, listen without a name opens the one called listener. ACTOR& makes the
// call in a thread of its own, which join collects; client+server has both make it at once.
// Reference lists every word; Verbs, Directives, OptionKinds and package expect's subjects are
// the one place where each is defined.
package script
