// Package lab runs scenarios: scripts whose lines are real system calls of real processes,
// recorded together with their packets and with the kernel's view of both ends.
//
// It judges nothing: what a script expects is evaluated by join.Check. It reads nothing: the
// language of scripts is package script's.
//
// # How a line runs
//
// Each actor is this program started anew (ActorMain), told over a socketpair what to call.
// One line is one system call, with the clock read right around it, and one row of the
// recording. What a line does on the way (socket, SO_REUSEADDR and bind of a listen) becomes
// a row only when it fails. What the experiment itself did (wait, until, sysctl) is a row
// without an actor. After each call the capture is drained and the kernel is asked for both
// ends of every connection.
//
// Actors keep no state but their descriptors, so fork and exec need no more than telling the
// new program which those are. Instead of fork(2) alone, which Go's runtime cannot survive,
// the child is this program executed with the parent's descriptors.
//
// # FINs that cross
//
// On a loopback a FIN is processed before the call that sent it returns; dropping both first
// FINs is not enough either, because the second retransmission acknowledges the first. So
// both actors stay on one CPU, "until … due-together" waits until both timers fire in the
// same tick, and there both FINs are sent before the softirq that receives them runs. Instead
// of a delaying qdisc (netem, fq), which many kernels lack.
//
// # A busy machine
//
// A script waits for events, never for a time in which they ought to come; its deadline counts
// from when the actors are ready. What can be too late all the same is a filter that must change
// between two firings of a timer, or a state that an end has left before it was asked for. How
// much time is left before a timer fires is therefore measured against how long such a line took
// on this machine; a state that is missed ends the run at once, and it is begun again.
package lab
