//go:build !race

package core

// UnderRace divides what a sweep tries, and how long a random history is.
const UnderRace = 1
