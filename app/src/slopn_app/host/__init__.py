"""What front ends need of the operating system: one module a mechanism, chosen in `slopn_app.bootstrap` alone.

`interfaces` says what each must do. It is imported for types only, since start-up time counts here.
"""
