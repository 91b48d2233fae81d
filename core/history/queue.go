package history

import "container/heap"

// queue hands out nodes newest first.
type queue struct{ nodes nodeHeap }

func (q *queue) push(n *node) { heap.Push(&q.nodes, n) }

func (q *queue) pop() *node { return heap.Pop(&q.nodes).(*node) }

// peek returns the newest node without taking it, or nil.
func (q *queue) peek() *node {
	if len(q.nodes) == 0 {
		return nil
	}
	return q.nodes[0]
}

type nodeHeap []*node

func (h nodeHeap) Len() int           { return len(h) }
func (h nodeHeap) Less(i, j int) bool { return newer(h[i].Commit, h[j].Commit) }
func (h nodeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *nodeHeap) Push(x any)        { *h = append(*h, x.(*node)) }

func (h *nodeHeap) Pop() any {
	old := *h
	last := len(old) - 1
	n := old[last]
	old[last] = nil
	*h = old[:last]
	return n
}
