//go:build goexperiment.runtimesecret

package token

import "runtime/secret"

// shroudErases tells whether this build erases what shroud's function leaves behind.
const shroudErases = true

// shroud runs pure Go arithmetic on a secret and erases the registers, stack and
// heap it used. Never call C inside: the runtime crashes.
func shroud(arithmetic func()) { secret.Do(arithmetic) }
