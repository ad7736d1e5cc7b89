/* Binds hypot and hypotf to the versions that every glibc has.
 *
 * glibc 2.35 gave both a new version, the same function without the error
 * handling of SVID. A program linked on such a system asks for it, and Lambda's
 * provided.al2023 has 2.34. build.rs has the linker send every call here
 * (--wrap), in the bootstrap alone. */

#if defined(__x86_64__)
#define FIRST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST "GLIBC_2.17"
#endif

__asm__(".symver minilab_hypot, hypot@" FIRST);
__asm__(".symver minilab_hypotf, hypotf@" FIRST);

extern double minilab_hypot(double, double);
extern float minilab_hypotf(float, float);
double __wrap_hypot(double, double);
float __wrap_hypotf(float, float);

double __wrap_hypot(double x, double y) { return minilab_hypot(x, y); }
float __wrap_hypotf(float x, float y) { return minilab_hypotf(x, y); }
