using NUnit.Framework;

// Tests that wait may do so beside each other, more of them than there are processors.
[assembly: LevelOfParallelism(6)]
