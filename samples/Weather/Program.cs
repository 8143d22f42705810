System.Console.WriteLine("to come");
