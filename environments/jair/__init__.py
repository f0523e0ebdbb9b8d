"""The domains of Veness, Ng, Hutter, Uther and Silver, A Monte-Carlo AIXI Approximation (JAIR 40, 2011)."""
