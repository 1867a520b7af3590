"""The device's side of enrolment: a link becomes a profile, which is renewed before it expires (docs/enrolment.md)."""
