// Functions without a body, in vfork.go, are the runtime's.
