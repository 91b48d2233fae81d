package history

import "container/heap"

// queue hands out nodes in the order of before.
type queue struct {
	nodes  []*node
	before func(a, b Commit) bool
}

func (q *queue) push(n *node) { heap.Push((*nodeHeap)(q), n) }

func (q *queue) pop() *node { return heap.Pop((*nodeHeap)(q)).(*node) }

// peek returns the first node without taking it, or nil.
func (q *queue) peek() *node {
	if len(q.nodes) == 0 {
		return nil
	}
	return q.nodes[0]
}

// nodeHeap is a queue as package heap sees it.
type nodeHeap queue

func (h *nodeHeap) Len() int           { return len(h.nodes) }
func (h *nodeHeap) Less(i, j int) bool { return h.before(h.nodes[i].Commit, h.nodes[j].Commit) }
func (h *nodeHeap) Swap(i, j int)      { h.nodes[i], h.nodes[j] = h.nodes[j], h.nodes[i] }
func (h *nodeHeap) Push(x any)         { h.nodes = append(h.nodes, x.(*node)) }

func (h *nodeHeap) Pop() any {
	last := len(h.nodes) - 1
	n := h.nodes[last]
	h.nodes[last] = nil
	h.nodes = h.nodes[:last]
	return n
}
