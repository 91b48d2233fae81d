//go:build race

package prolly

const many = 100_000
