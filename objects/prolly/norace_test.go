//go:build !race

package prolly

const many = 1_000_000
