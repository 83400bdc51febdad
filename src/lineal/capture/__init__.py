"""What a process read, wrote and ran with, seen from outside."""
