package prolly

import "context"

// tContext is for property tests, whose T has no context that outlives a
// failed draw.
var tContext = context.Background()
