/* What all models share. What is searched is told when a search is run, in the environment: one program serves
   them all. Such values are hidden from the states, as they never change. */

hidden byte WORKERS;
hidden byte FAULTS;       /* in all, of any kind, at any step                                              */
hidden byte FORGETS;      /* entries that the ledger loses                                                 */
hidden byte CANCELS;      /* a request to stop the job: 1 or 0                                             */
hidden byte BROKEN;       /* a mistake of variants.pml                                                     */

byte faults, forgets;     /* that may still happen                                                         */
byte busy;                /* workers that have something in hand                                           */

c_decl {
  static int given(const char *name);
  static void needed(int line);
}

c_code {
  static int given(const char *name) { return atoi(getenv(name)); }
  static void needed(int line) {           /* a row of a table of changes; told once                       */
    static char seen[256];
    if (!seen[line]) printf("row %d\n", line);
    seen[line] = 1;
  }
}

#include "variants.pml"
#define promise(name, condition)  name = (condition); assert(name)
#define fault                     faults > 0 -> faults--

inline begins() {
  c_code {
    WORKERS = given("WORKERS"); FAULTS = given("FAULTS"); FORGETS = given("FORGETS");
    CANCELS = given("CANCELS"); BROKEN = given("BROKEN");
  };
  faults = FAULTS; forgets = FORGETS
}
