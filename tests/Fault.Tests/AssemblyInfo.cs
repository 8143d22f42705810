using NUnit.Framework;

// Tests that mostly wait may run in parallel, more of them than there are processors.
[assembly: LevelOfParallelism(6)]
