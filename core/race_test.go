//go:build race

package core

// UnderRace divides what a sweep tries, and how long a random history is: the
// race detector makes each try five times as dear.
const UnderRace = 5
