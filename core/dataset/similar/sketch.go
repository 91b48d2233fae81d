package similar

// How a set becomes a signature
//
//  1. A signature has 128 places. In round 0 each member falls into one of
//     them, by its hash; a place keeps the smallest hash that falls into it.
//  2. A place that nothing fell into is filled by later rounds, in which each
//     member falls into another place by another hash; from round 128 on all
//     of them into the place of that number. A smaller round is smaller than any
//     hash of a later one, so that the rounds end when no place is empty.
//  3. So whether two sets are equal at a place is told by the member that is
//     smallest there, as if each place had a permutation of its own, while a
//     member of a large set is hashed once (Dahlgaard, Knudsen and Thorup: Fast
//     Similarity Sketching, 2017).
//  4. Later rounds need the members again. The first ones are held, each once;
//     of a set that is larger than that nothing is empty after round 0 but by
//     a chance of one in a hundred thousand, and then those that are held fill
//     it.

// sketch gathers the signature of a set.
type sketch struct {
	least [permutations]uint64 // the smallest hash in this round; absent: none yet
	round [permutations]uint8  // in which it was filled
	empty int

	held []uint64            // members, each once
	at   [2 * maxHeld]uint16 // a table of them by their hashes: their numbers, from 1
}

// maxHeld is how many members are held.
const maxHeld = 2048

const absent = ^uint64(0)

func newSketch() *sketch {
	s := &sketch{empty: permutations}
	for i := range s.least {
		s.least[i] = absent
	}
	return s
}

// add adds a member by its hash.
func (s *sketch) add(hash uint64) {
	s.put(hash%permutations, hash, 0)
	if len(s.held) < maxHeld {
		s.hold(hash)
	}
}

// put lets a hash fall into a place.
func (s *sketch) put(place, hash uint64, round uint8) {
	switch {
	case s.least[place] == absent:
		s.empty--
		s.round[place] = round
	case s.round[place] < round || s.least[place] <= hash:
		return
	}
	s.least[place] = min(hash, absent-1)
}

// hold holds a member, if it is not held yet.
func (s *sketch) hold(hash uint64) {
	for at := hash >> 32; ; at++ {
		n := &s.at[at%uint64(len(s.at))]
		switch {
		case *n == 0:
			s.held = append(s.held, hash)
			*n = uint16(len(s.held))
			return
		case s.held[*n-1] == hash:
			return
		}
	}
}

// signature ends the rounds and keeps 8 bits of each smallest hash and its
// round: mixed, since small ones have most of their bits alike.
func (s *sketch) signature() (sig Signature) {
	for round := 1; s.empty > 0 && len(s.held) > 0 && round < 2*permutations; round++ {
		s.again(round)
	}
	for i, v := range s.least {
		sig[i] = uint8(mix(v^uint64(s.round[i])<<56) >> 56)
	}
	return sig
}

// again lets every member that is held fall once more.
func (s *sketch) again(round int) {
	for _, member := range s.held {
		hash := mix(member + uint64(round)*0x9e3779b97f4a7c15)
		place := hash % permutations
		if round >= permutations {
			place = uint64(round - permutations)
		}
		s.put(place, hash, uint8(round))
	}
}
