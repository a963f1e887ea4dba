// A CUDA device on the CPU, for tests: the unchanged sources of cuda/ compile against these headers with the host
// compiler. Every CUDA thread is a fiber, all of them on one OS thread, in an order that EMULATED_SEED decides.
//
// It finds: wrong results at every schedule it is given, reads of memory that nobody wrote (device and shared memory
// begin as NaN), threads that do not meet at a barrier, copies that are not waited for; with the address sanitizer
// what is out of bounds; with the thread sanitizer what only the schedule ordered (synchronize.cpp says by which calls).
// It cannot show: what weak memory reorders (a fence is only missed by the thread sanitizer), whether a grid is really
// resident at once, bank conflicts and speed, and how nvcc contracts or approximates float arithmetic.
#pragma once

#include "emulated_device.h"
#include "emulated_host.h"
